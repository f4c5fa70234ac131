/* The server's HTTP API. Rules: no cookies, ever; what fails is a Refusal with the status, 0 if no answer came.
 */

/** The server's no. `passing`: worth another try by itself, after `wait` milliseconds if it said so. */
export class Refusal extends Error {
  constructor(status, wait = 0, reason = "") {
    super(reason || (status ? `the chat server answered ${status}` : "the chat server cannot be reached"));
    this.status = status;
    this.wait = wait;
    this.passing = status === 0 || status === 429 || status >= 500;
  }
}

const seconds = (text) => (/^\d+$/.test(text ?? "") ? Math.max(1, Number(text)) * 1000 : 0);
const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

export function createApi(base) {
  async function call(method, path, { token, body, headers = {}, signal } = {}) {
    const sent = { ...bearer(token), ...headers };
    if (body) sent["Content-Type"] = "application/json";
    let response;
    try {
      const content = body && JSON.stringify(body);
      const rest = { signal, credentials: "omit", cache: "no-store" };
      response = await fetch(`${base}${path}`, { method, headers: sent, body: content, ...rest });
    } catch (error) {
      throw error.name === "AbortError" ? error : new Refusal(0);
    }
    if (response.ok) return response;
    const said = await response.json().catch(() => ({}));
    throw new Refusal(response.status, seconds(response.headers.get("Retry-After")), said.error);
  }

  const json = async (...request) => (await call(...request)).json();

  return {
    config: (locale) => json("GET", `/config?locale=${encodeURIComponent(locale)}`),

    createSession: (userToken, token) =>
      json("POST", "/sessions", { token, body: userToken ? { user_token: userToken } : {} }),

    deleteSession: (token) => call("DELETE", "/sessions", { token }),

    entries: (token, before) => json("GET", `/entries?limit=50${before ? `&before=${before}` : ""}`, { token }),

    events: (token, last, signal) => call("GET", "/events", { token, signal, headers: { "Last-Event-ID": `${last}` } }),

    send: (token, message, userToken) =>
      call("POST", "/messages", { token, body: message, headers: userToken ? { "Supportbot-User": userToken } : {} }),

    seen: (token, position) => call("POST", "/seen", { token, body: { position } }),

    typing: (token) => call("POST", "/typing", { token, body: {} }),

    file: async (token, id) => (await call("GET", `/files/${encodeURIComponent(id)}`, { token })).blob(),

    /** Uploads with XMLHttpRequest, for fetch tells no progress (0 to 1). */
    upload(token, file, { signal, progress }) {
      const request = new XMLHttpRequest();
      request.open("POST", `${base}/files?name=${encodeURIComponent(file.name)}`);
      request.responseType = "json";
      request.setRequestHeader("Authorization", `Bearer ${token}`);
      request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      signal.addEventListener("abort", () => request.abort(), { once: true });
      return new Promise((resolve, reject) => {
        request.onerror = request.onabort = () => reject(new Refusal(0));
        request.onload = () => {
          if (request.status === 201) resolve(request.response);
          else reject(new Refusal(request.status, seconds(request.getResponseHeader("Retry-After"))));
        };
        request.send(file);
      });
    },
  };
}
