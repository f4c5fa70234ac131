// What a company's own site does: it knows who is signed in, and hands the chat a token that its server has signed.
const button = document.getElementById("account");

async function token() {
  const answer = await fetch("/sign-in", { method: "POST" });
  return (await answer.json()).token;
}

async function signIn() {
  sessionStorage.setItem("shop", "jana");
  window.supportbot.identify(await token());
  show(true);
}

function signOut() {
  sessionStorage.removeItem("shop");
  window.supportbot.logout();
  show(false);
}

function show(signedIn) {
  button.setAttribute("aria-pressed", String(signedIn));
  button.textContent = signedIn ? "Jana, sign out" : "Sign in as Jana";
}

button.addEventListener("click", () => (sessionStorage.getItem("shop") ? signOut() : signIn()));
const begin = () => sessionStorage.getItem("shop") && signIn();
if (window.supportbot) begin();
else document.addEventListener("supportbot:ready", begin, { once: true });
