"""The shape of the config's `console`; see `supportbot.config.settings`."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from supportbot.quantities import Wait
from supportbot.shapes import Secret, Section, Text, Url, misplaced
from supportbot.types.console import Role


class OidcSettings(Section):
    """Single sign-on by OpenID Connect."""

    issuer: Url
    """The provider's address, exactly as it names itself."""
    client_id: Text
    """What the console is called there."""
    client_secret: Secret | None = None
    """The console's secret there; left out for a public client."""
    client_secret_file: Text | None = None
    """A file that has this secret in it."""
    role_claim: Text | None = None
    """The claim that says what somebody is, such as groups."""
    roles: Mapping[Text, Role] = Field(default_factory=dict)
    """The role that each of its values gives; the highest counts."""
    default_role: Role | None = None
    """The role of whoever gets none by that; left out: they are not let in."""
    allow_private: bool = False
    """true: the provider may be in your own network."""

    @model_validator(mode="after")
    def _somebody_can_come(self) -> OidcSettings:
        if self.roles and self.role_claim is None:
            raise misplaced("'roles' needs a role_claim beside it", "roles")
        if not self.roles and self.default_role is None:
            raise misplaced(
                "'oidc' needs roles with a role_claim, or a default_role: nobody could come in", "issuer"
            )
        return self


class ConsoleSettings(Section):
    enabled: bool = True
    """false: there is no console at /console."""
    session: Wait = 43200.0
    """How long somebody stays signed in at most."""
    idle: Wait = 7200.0
    """How long somebody stays signed in who does nothing."""
    oidc: OidcSettings | None = None
    """Single sign-on, beside passwords."""
