from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from serviced import CONTEXT, Service, loaded, tools

from supportbot.errors import ConfigError
from supportbot.tools import Toolbox
from supportbot.tools.arguments import check, validator
from supportbot.tools.http import openapi
from supportbot.tools.http.openapi import file as openapi_files
from supportbot.tools.http.openapi.schema import Schemas, Unsupported
from supportbot.tools.http.request import Body, Place

SHOP = """\
openapi: 3.1.0
info: {title: Shop, version: 2024-01-01}
servers:
- url: https://{region}.shop.test/{version}
  variables:
    region: {default: eu, enum: [eu, us]}
    version: {default: v2}
paths:
  /customers/{customer-id}/orders:
    parameters:
    - $ref: '#/components/parameters/Customer'
    - {name: X-Tenant, in: header, schema: {type: string}}
    - {name: limit, in: query, description: Of its path., schema: {type: integer}}
    get:
      operationId: listOrders
      summary: Lists orders.
      description: Newest first.
      parameters:
      - {name: limit, in: query, description: At most so many., schema: {type: integer, maximum: 50}, example: 5}
      - name: "filter[state]"
        in: query
        schema: {type: array, items: {$ref: '#/components/schemas/State'}}
      - {name: ids, in: query, explode: false, schema: {type: array, items: {type: string}}}
      - {name: within, in: query, style: deepObject, schema: {type: object}}
      - {name: raw, in: query, content: {application/json: {schema: {type: object}}}}
      - {name: session, in: cookie, schema: {type: string}}
      - {name: Authorization, in: header, required: true, schema: {type: string}}
      responses: {200: {description: ok}}
    post:
      operationId: createOrder
      parameters:
      - {name: Idempotency-Key, in: header, required: true, schema: {type: string}}
      - {name: dry_run, in: query, schema: {type: boolean}}
      requestBody: {$ref: '#/components/requestBodies/Order'}
  /ask#it:
    get:
      operationId: asked
      parameters: [{name: 'a b', in: header, required: true, schema: {}}, {name: 'c:', in: header, schema: {}}]
  /ping?beta=true:
    head:
      operationId: ping
      parameters: [{name: loud, in: query, schema: {type: boolean}}]
    trace: {operationId: traced}
  /upload:
    post:
      operationId: upload
      requestBody: {required: true, content: {multipart/form-data: {schema: {type: object}}}}
    put:
      operationId: uploadPerhaps
      requestBody: {content: {image/png: {schema: {}}}}
  /clash/{id}:
    post:
      operationId: clash
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}
  /wrong/{id}:
    post:
      operationId: wrong
      parameters:
      - {name: s, in: cookie, required: true, schema: {type: string}}
      - {name: m, in: query, schema: {$ref: '#/components/schemas/Gone'}}
      requestBody: {content: {application/json: {schema: {$ref: 'other.yaml#/Order'}}}}
  /login:
    post:
      operationId: login
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {user: {type: string}, roles: {type: array, items: {type: string}}}, required: [user]}
  /notes:
    post:
      operationId: addNotes
      requestBody: {required: true, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/State'}}}}}
    patch:
      operationId: patchNote
      servers: [{url: 'https://notes.test'}]
      requestBody:
        content:
          application/merge-patch+json:
            schema: {type: object, properties: {text: {type: [string, 'null']}}, required: [text], additionalProperties: true}
    put:
      operationId: eitherNote
      requestBody: {content: {application/json: {schema: {oneOf: [{type: object}, {type: array}]}}}}
components:
  parameters:
    Customer: {name: customer-id, in: path, required: true, schema: {type: string, pattern: '^[a-z]+$'}}
  requestBodies:
    Order:
      required: true
      content:
        text/xml: {schema: {type: string}}
        application/json: {schema: {$ref: '#/components/schemas/NewOrder'}}
  schemas:
    State: {type: string, enum: [open, no, 'on'], x-names: [a]}
    Unused: {type: string}
    Internal: {type: object, properties: {unused: {$ref: '#/components/schemas/Unused'}}, readOnly: true}
    Base:
      type: object
      properties:
        id: {type: string, readOnly: true}
        note: {type: string, title: Note}
      required: [id, note]
    NewOrder:
      allOf:
      - $ref: '#/components/schemas/Base'
      - type: object
        required: [lines]
        properties:
          lines: {type: array, items: {$ref: '#/components/schemas/Line'}}
          internal: {$ref: '#/components/schemas/Internal'}
    Line:
      type: object
      properties:
        sku: {type: string, example: S-1}
        day: {type: string, default: 2024-02-29}
        parts: {type: array, items: {$ref: '#/components/schemas/Line'}}
      required: [sku]
"""


def document(text: str = SHOP, folder: Path | None = None) -> Mapping[str, Any]:
    """The description as it is read from a file."""
    path = (folder or Path()) / "shop.yaml"
    return openapi_files._parsed(text, str(path))


def imported(name: str, **more: Any) -> openapi.Imported:
    found = document()
    return openapi.imported(found, openapi.operations(found)[name], base=more.pop("base", None), **more)


def test_parameters_of_path_and_operation_become_arguments_with_their_places() -> None:
    found = imported("listOrders", sent=frozenset({("header", "x-tenant")}))
    assert found.mistakes == ()
    assert (str(found.endpoint), found.endpoint.base) == (
        "GET /customers/{customer-id}/orders",
        "https://eu.shop.test/v2",
    )
    assert found.description == "Lists orders.\n\nNewest first."
    assert found.endpoint.places == {
        "customer-id": Place("path", "customer-id", "comma"),
        "limit": Place("query", "limit", "form"),
        "filter_state": Place("query", "filter[state]", "form"),
        "ids": Place("query", "ids", "comma"),
        "within": Place("query", "within", "deep"),
        "raw": Place("query", "raw", "json"),
    }
    assert found.parameters == {
        "type": "object",
        "properties": {
            "customer-id": {"type": "string", "pattern": "^[a-z]+$"},
            "limit": {"type": "integer", "maximum": 50, "description": "At most so many.", "examples": [5]},
            "filter_state": {"type": "array", "items": {"$ref": "#/$defs/State"}},
            "ids": {"type": "array", "items": {"type": "string"}},
            "within": {"type": "object"},
            "raw": {"type": "object"},
        },
        "required": ["customer-id"],
        "additionalProperties": False,
        "$defs": {"State": {"type": "string", "enum": ["open", "no", "on"]}},
    }


def test_the_properties_of_the_content_stand_beside_the_parameters() -> None:
    found = imported("createOrder", sent=frozenset({("header", "idempotency-key")}))
    assert found.mistakes == ()
    assert found.endpoint.body == Body("application/json")
    assert found.endpoint.rest == "body"
    assert list(found.parameters["properties"]) == ["customer-id", "X-Tenant", "limit", "dry_run", "note", "lines"]
    assert found.parameters["required"] == ["customer-id", "note", "lines"]
    assert found.parameters["properties"]["note"] == {"type": "string"}
    line = found.parameters["$defs"]["Line"]
    assert line["properties"]["parts"] == {"type": "array", "items": {"$ref": "#/$defs/Line"}}
    assert line["properties"]["sku"] == {"type": "string", "examples": ["S-1"]}
    assert line["properties"]["day"]["default"] == "2024-02-29"
    assert found.parameters["$defs"].keys() == {"Line"}


@pytest.mark.parametrize(
    ("lines", "fits"),
    [
        ([{"sku": "a", "parts": [{"sku": "b"}]}], True),
        ([{"sku": "a", "parts": [{"parts": []}]}], False),
        ("a", False),
    ],
)
def test_a_schema_that_contains_itself_is_checked_all_the_way(lines: Any, fits: bool) -> None:
    found = imported("createOrder", sent=frozenset({("header", "idempotency-key")}))
    checked = validator("t", found.parameters)
    arguments = {"customer-id": "a", "note": "n", "lines": lines}
    if fits:
        check(checked, arguments)
    else:
        with pytest.raises(Exception, match="do not fit"):
            check(checked, arguments)


@pytest.mark.parametrize(
    ("name", "body", "properties", "required"),
    [
        ("login", Body("application/x-www-form-urlencoded"), ["user", "roles"], ["user"]),
        ("addNotes", Body(whole="body"), ["body"], ["body"]),
        ("patchNote", Body("application/merge-patch+json", optional=True), ["text"], []),
        ("eitherNote", Body(whole="body"), ["body"], []),
        ("uploadPerhaps", None, [], []),
        ("ping", None, ["loud"], []),
    ],
)
def test_content_of_other_kinds(name: str, body: Body | None, properties: list[str], required: list[str]) -> None:
    found = imported(name)
    assert found.mistakes == ()
    assert (found.endpoint.body, list(found.parameters["properties"])) == (body, properties)
    assert found.parameters["required"] == required


@pytest.mark.parametrize(
    ("name", "mistakes"),
    [
        ("upload", ["its content is neither JSON nor a form: multipart/form-data"]),
        (
            "asked",
            [
                "its path has a # or a space in it",
                "its header parameter `a b` is needed, and this kind is not supported",
            ],
        ),
        ("traced", ["the method TRACE is not supported"]),
        (
            "clash",
            ["it has `id` more than once (in the path and in its content), so that they cannot be told apart"],
        ),
        (
            "wrong",
            [
                "its cookie parameter `s` is needed, and this kind is not supported",
                "the $ref #/components/schemas/Gone leads to nothing",
                "its path has {id}, which is none of its parameters",
                "the $ref other.yaml#/Order leads out of the file: bundle the description into one file",
            ],
        ),
    ],
)
def test_what_cannot_be_used_is_said_all_at_once(name: str, mistakes: list[str]) -> None:
    assert list(imported(name).mistakes) == mistakes


@pytest.mark.parametrize(
    ("schema", "translated"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"allOf": [{"type": "object"}], "nullable": True, "description": "d"},
            {"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}], "description": "d"},
        ),
        ({"nullable": True}, {}),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 0}),
        ({"maximum": 9, "exclusiveMaximum": False}, {"maximum": 9}),
        ({"exclusiveMaximum": 9}, {"exclusiveMaximum": 9}),
        ({"example": {"$ref": "kept as it is"}}, {"examples": [{"$ref": "kept as it is"}]}),
        ({"default": {"readOnly": True, "x-a": 1}, "enum": [{"title": 1}]},) * 2,
        ({"pattern": r"^\p{L}+$", "type": "string"}, {"type": "string"}),
        (
            {"xml": {}, "discriminator": {}, "externalDocs": {}, "x-y": 1, "title": "T", "type": "null"},
            {"type": "null"},
        ),
        ({"properties": {"title": {"title": "T"}, "x-y": True}}, {"properties": {"title": {}, "x-y": True}}),
        (
            {"properties": {"a": {"readOnly": True}, "b": {"writeOnly": True}}, "required": ["a", "b"]},
            {"properties": {"b": {}}, "required": ["b"]},
        ),
        (
            {"additionalProperties": {"nullable": True, "type": "string"}},
            {"additionalProperties": {"type": ["string", "null"]}},
        ),
        (
            {"items": {"not": {"example": 1}}, "prefixItems": [True]},
            {"items": {"not": {"examples": [1]}}, "prefixItems": [True]},
        ),
    ],
)
def test_a_schema_of_3_0_becomes_one_of_2020_12(schema: Any, translated: Any) -> None:
    before = json.dumps(schema)
    assert Schemas({}).schema(schema) == translated
    assert json.dumps(schema) == before


def test_two_schemas_with_one_name_stay_two() -> None:
    schemas = Schemas({"a": {"X": {"type": "string"}}, "b": {"X": {"type": "integer"}}, "c~d/e": {"type": "null"}})
    found = schemas.schema(
        {"anyOf": [{"$ref": "#/a/X"}, {"$ref": "#/b/X"}, {"$ref": "#/a/X"}, {"$ref": "#/c~0d~1e"}]}
    )
    assert [one["$ref"] for one in found["anyOf"]] == ["#/$defs/X", "#/$defs/X_2", "#/$defs/X", "#/$defs/c_0d_1e"]
    assert [one["type"] for one in schemas.defs.values()] == ["string", "integer", "null"]


def test_a_reference_to_itself_ends() -> None:
    schemas = Schemas({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}})
    with pytest.raises(Unsupported, match="leads back to itself"):
        schemas.resolved({"$ref": "#/a"})


@pytest.mark.parametrize(
    ("servers", "base", "found"),
    [
        (None, None, "the description names no server: write `base`"),
        ([], None, "the description names no server: write `base`"),
        ([{"url": "/v1"}], None, "the server /v1 is no complete address: write `base`"),
        ([{"url": "https://{x}.test"}], None, "the server's variable x has no default: write `base`"),
        (
            [{"url": "https://u:p@x.test"}],
            None,
            "the server https://u:p@x.test is no complete address: write `base`",
        ),
        ([{"url": "/v1"}], "https://mine.test", "https://mine.test"),
        ([{"url": "https://a.test/"}, {"url": "https://b.test"}], None, "https://a.test/"),
    ],
)
def test_the_base_is_the_operators_or_the_first_servers(servers: Any, base: str | None, found: str) -> None:
    api = {"openapi": "3.0.3", "servers": servers, "paths": {"/a": {"get": {"operationId": "a"}}}}
    got = openapi.imported(api, openapi.operations(api)["a"], base=base)
    assert (got.mistakes or (got.endpoint.base,)) == (found,)


def test_an_operation_has_its_own_server_unless_the_operator_says_otherwise() -> None:
    assert imported("patchNote").endpoint.base == "https://notes.test"
    assert imported("patchNote", base="https://mine.test").endpoint.base == "https://mine.test"


def test_what_a_model_is_told_of_an_operation_has_an_end() -> None:
    api = {
        "servers": [{"url": "https://a.test"}],
        "paths": {"/a": {"get": {"operationId": "a", "description": "x" * 9000}}},
    }
    got = openapi.imported(api, openapi.operations(api)["a"], base=None)
    assert len(got.description) == openapi.LONGEST


# ---------------------------------------------------------------- files


def test_json_and_yaml_read_alike(tmp_path: Path) -> None:
    api = {
        "openapi": "3.0.0",
        "paths": {"/a": {"get": {"operationId": "no", "x": [1, -2, 0.5, 1e3, True, None, "12:30", "0049"]}}},
    }
    (tmp_path / "a.json").write_text(json.dumps(api), "utf-8")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(api), "utf-8")
    assert openapi.read(tmp_path / "a.json") == openapi.read(tmp_path / "a.yaml") == api


def test_words_and_times_stay_text() -> None:
    text = "{a: no, b: 12:30, c: 2024-01-01, d: 0049, e: on, f: 1_000, g: 3.1.0, h: 3.0}"
    values = openapi_files._parsed(f"x: {text}", "f")["x"]
    assert list(values.values()) == ["no", "12:30", "2024-01-01", "0049", "on", "1_000", "3.1.0", 3.0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: [1\nb: 2\n", ":2:2: this is no YAML: "),
        (b'{"a": 1,}', ":1:9: this is no JSON: "),
        (b"a: \xff", ": the file is not UTF-8 text"),
        (b"a: !!python/name:os.system x", ": this is no YAML"),
        (b"swagger: '2.0'\n", ":1:1: this is Swagger 2: convert it to OpenAPI 3"),
        (b"- a\n", ":1:1: this is no OpenAPI 3 description"),
        (b"", ":1:1: this is no OpenAPI 3 description"),
        (b"[" * 100_000, ": "),
    ],
)
def test_a_broken_file_has_a_place(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        openapi.read(path)
    (found,) = caught.value.problems
    assert problem.split(": ")[0] in str(found).removeprefix(str(path))
    assert problem.split(": ")[-1] in str(found)


def broken(folder: Path, text: str) -> list[str]:
    (folder / "shop.yaml").write_text(SHOP, "utf-8")
    with pytest.raises(ConfigError) as caught:
        loaded(text, folder)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("operations", "problems"),
    [
        ("{listOrder: {}}", ["2:52: shop.yaml has no operation listOrder: did you mean listOrders?"]),
        ("{clash: {}}", ["2:48: clash in shop.yaml: it has `id` more than once (in the path and in its content)"]),
        (
            "{ping: {name: pong}, eitherNote: {name: pong}}",
            ["2:73: another tool of this file is named pong too"],
        ),
        (
            "{login: {bind: {usr: identity.customer}}}",
            ["2:61: usr is no argument of login: did you mean user?"],
        ),
        ("{login: {result: 'a['}}", ["2:57: this is no JMESPath expression"]),
        (
            "{login: {recover: 'GET /a/{usr}'}}",
            ["2:58: {usr} is neither an argument nor {key}: did you mean user?"],
        ),
        (
            "{upload: {}, traced: {}}",
            ["2:49: upload in shop.yaml: its content", "2:61: traced in shop.yaml: the method"],
        ),
    ],
)
def test_a_mistake_about_an_operation_has_its_place(tmp_path: Path, operations: str, problems: list[str]) -> None:
    found = broken(tmp_path, f"base: https://x.test\nopenapi: {{file: shop.yaml, operations: {operations}}}")
    assert len(found) == len(problems)
    for one, start in zip(found, problems, strict=True):
        assert one.startswith(f"tools/t.yaml:{start}")


def test_a_missing_description_is_a_mistake_of_the_tool_file(tmp_path: Path) -> None:
    (found,) = broken(tmp_path, "openapi: {file: gone.yaml, operations: {a: {}}}")
    assert found == "tools/t.yaml:1:17: there is no file gone.yaml beside this one"


def test_a_broken_description_is_a_problem_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [1\nb: 2", "utf-8")
    (found,) = broken(tmp_path, "openapi: {file: bad.yaml, operations: {a: {}}}")
    assert found.startswith(f"{tmp_path / 'bad.yaml'}:2:")


def test_an_operation_id_that_is_no_name_needs_one(tmp_path: Path) -> None:
    api = {"openapi": "3.0.0", "paths": {"/a": {"get": {"operationId": "orders/list all"}}}}
    (tmp_path / "a.json").write_text(json.dumps(api), "utf-8")
    text = "base: https://x.test\nopenapi: {file: a.json, operations: {'orders/list all': {}}}"
    with pytest.raises(ConfigError, match="use letters, digits, _ and -, at most 64, by writing a `name`"):
        loaded(text, tmp_path)
    (tool,) = loaded(text.replace("{}", "{name: list_orders}"), tmp_path).tools
    assert tool.name == "list_orders"


# ---------------------------------------------------------------- as tools

FILE = """\
base: BASE
auth: {bearer: secret}
openapi:
  file: shop.yaml
  operations:
    listOrders: {bind: {customer-id: customer.id}, result: fine}
    createOrder: {name: order, description: Orders something.}
    login: {effects: false}
    addNotes: {}
    patchNote: {}
    ping: {}
"""


async def test_operations_are_called_as_they_are_described(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP, "utf-8")
    async with Service() as service, tools(FILE, service.url, tmp_path) as by_name:
        box = Toolbox(by_name)
        calls: list[tuple[str, Mapping[str, Any]]] = [
            (
                "listOrders",
                {"filter_state": ["open", "no"], "ids": ["a", "b"], "within": {"km": 5}, "raw": {"a": 1}},
            ),
            (
                "order",
                {"customer-id": "mia", "X-Tenant": "7", "dry_run": True, "note": "n", "lines": [{"sku": "s"}]},
            ),
            ("login", {"user": "m m", "roles": ["a", "b"]}),
            ("addNotes", {"body": ["open"]}),
            ("patchNote", {}),
            ("patchNote", {"text": None, "more": 1}),
            ("ping", {"loud": False}),
        ]
        results = [await box.call(name, given, CONTEXT, seconds=5) for name, given in calls]
    assert [result.error for result in results] == [""] * len(calls), results
    assert results[0].value is True
    query = "filter%5Bstate%5D=open&filter%5Bstate%5D=no&ids=a%2Cb&within%5Bkm%5D=5&raw=%7B%22a%22%3A%201%7D"
    assert [(asked.method, asked.target, asked.body) for asked in service.asked] == [
        ("GET", f"/customers/u/orders?{query}", b""),
        ("POST", "/customers/mia/orders?dry_run=true", b'{"note": "n", "lines": [{"sku": "s"}]}'),
        ("POST", "/login", b"user=m%20m&roles=a&roles=b"),
        ("POST", "/notes", b'["open"]'),
        ("PATCH", "/notes", b""),
        ("PATCH", "/notes", b'{"text": null, "more": 1}'),
        ("HEAD", "/ping?beta=true&loud=false", b""),
    ]
    headers = [asked.headers for asked in service.asked]
    assert headers[1]["x-tenant"] == "7"
    assert headers[5]["content-type"] == "application/merge-patch+json"
    assert ["idempotency-key" in one for one in headers] == [False, True, False, True, True, True, False]
    assert {one["authorization"] for one in headers} == {"Bearer secret"}
    assert by_name["order"].description == "Orders something."
    assert set(box.specs()[0].parameters["properties"]) == {
        "X-Tenant",
        "limit",
        "filter_state",
        "ids",
        "within",
        "raw",
    }


async def test_an_argument_that_the_description_forbids_does_not_reach_the_service(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP, "utf-8")
    async with Service() as service, tools(FILE, service.url, tmp_path) as by_name:
        box = Toolbox(by_name)
        for name, given in (
            ("order", {"customer-id": "../x", "note": "n", "lines": []}),
            ("order", {"customer-id": "x", "note": "n", "lines": [], "id": "mine"}),
            ("listOrders", {"customer-id": "someone-else"}),
            ("listOrders", {"filter_state": ["gone"]}),
        ):
            assert (await box.call(name, given, CONTEXT, seconds=5)).error == "bad_arguments"
    assert service.asked == []
