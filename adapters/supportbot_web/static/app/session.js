/* Who talks. Rules: the token is kept in localStorage, the page's user token in memory only. A session of somebody who
 * is signed in is dropped when the page presents no user token, or another person's. A session that is over is
 * replaced once; if the new one is refused too, that is final for a minute. One tab at a time makes sessions, and
 * the others take them over.
 */
import { Refusal } from "./api.js";
import { patiently } from "./patience.js";

/** `changed(why)`: "renewed" the old one was over, "identified" somebody signed in, "other" it is no longer that person's,
 * "guest" the page's token was refused, "elsewhere" another tab changed it, "gone" there is none. */
export function createSession({ api, storage, hub, userToken = "", changed }) {
  let current = null;
  let renewedAt = -Infinity;
  let coming = null;

  const stored = () => {
    const found = storage.read("");
    return found?.token ? found : null; // whether it has run out is the server's to say: a visit prolongs it
  };

  function keep(session) {
    current = session;
    storage.write("", session);
  }

  /** The page's user token; its `token` callback is asked where there is none or it has expired. */
  async function presented() {
    if (!userToken || claims(userToken).exp * 1000 < Date.now() + 5_000) {
      const answer = await hub.ask("token").catch(() => "");
      if (answer) userToken = String(answer);
    }
    return userToken;
  }

  /** Takes up the session of an earlier page, if this page may. */
  async function resume() {
    current = stored();
    const token = await presented();
    if (token) return suit(token);
    if (!current?.identified) return;
    keep(null);
    changed("gone");
  }

  /** Makes the session that of the person whom the token is about. */
  async function suit(token) {
    await coming?.catch(() => {}); // whoever asked for that one hears why it failed
    if (!current || (current.identified && current.subject === (await subject(token)))) return;
    if (current.identified) {
      keep(null); // what somebody else has said goes at once, also while the server cannot be asked
      changed("other");
    }
    await patiently(async () => {
      if (userToken && !current?.identified) await once(() => replace(current));
    });
    changed("identified");
  }

  async function ensure() {
    if (!current) await once(() => replace(null));
    return current;
  }

  /** One at a time, and for all who ask meanwhile. */
  function once(task) {
    return (coming ??= task().finally(() => (coming = null)));
  }

  /** A session in place of the old one, whose chat is taken along if nobody was signed in; true if it is of our making,
   * false if another tab's. */
  async function replace(old, over = false) {
    await presented(); // the page may take its time: not while other tabs wait
    return storage.lock(async () => {
      const other = stored();
      const faster = other && other.token !== old?.token;
      if (faster) current = other;
      else keep(await create(old && !old.identified && !over ? old.token : ""));
      return !faster;
    });
  }

  async function create(along) {
    const token = await presented();
    try {
      const made = await api.createSession(token, along);
      return { ...made, subject: made.identified ? await subject(token) : "" };
    } catch (error) {
      if (!token || ![400, 401, 403].includes(error.status)) throw error;
      userToken = ""; // the page's token is no good: the customer can still ask as a guest
      changed("guest");
      return { ...(await api.createSession("", "")), subject: "" };
    }
  }

  async function renew(token) {
    if (current && current.token !== token) return current;
    if (Date.now() - renewedAt < 60_000) throw new Refusal(401);
    if (!stored()) {
      current = null; // another tab has ended it on purpose
      changed("gone");
      throw new Refusal(401);
    }
    await once(async () => {
      const ours = await replace(current, true);
      renewedAt = Date.now();
      changed(ours || !current.identified ? "renewed" : "elsewhere");
    });
    return current;
  }

  /** What `call(token)` returns, with a new session if the old one is over. */
  async function authorised(call) {
    const { token } = await ensure();
    try {
      return await call(token);
    } catch (error) {
      if (error.status !== 401) throw error;
      return call((await renew(token)).token);
    }
  }

  async function identify(token) {
    userToken = token;
    if (token) await suit(token);
  }

  async function logout() {
    const old = current;
    userToken = "";
    keep(null);
    changed("gone");
    if (old) await api.deleteSession(old.token).catch(() => {}); // it expires by itself
  }

  storage.watch("", () => {
    const found = stored();
    if (found?.token === current?.token) return;
    current = found;
    changed(found ? "elsewhere" : "gone");
  });

  return { resume, ensure, renew, authorised, identify, logout, presented, current: () => current };
}

/** The claims of a JWT as they stand there: unverified, so good for comparing only. */
function claims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))) ?? {};
  } catch {
    return {};
  }
}

/** A digest of whom the token is about; if that cannot be told, something that equals nothing else. */
async function subject(token) {
  const { sub } = claims(token);
  if (!sub || !crypto.subtle) return crypto.getRandomValues(new Uint32Array(2)).join("-");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(String(sub)));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
