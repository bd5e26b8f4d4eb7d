// Asks for a token where Highwater wants one. It goes to the server once and comes back as a cookie that no script can
// read; it is kept nowhere else.
import { useState } from "preact/hooks";
import { send } from "../ask";
import { sentence } from "../parts/frame";
import { Heading } from "../parts/heading";

/** Whether somebody signed in on this device, so that there is something to sign out of. */
const MARK = "highwater.signed-in";

export function signedIn(): boolean {
  try {
    return localStorage.getItem(MARK) !== null;
  } catch {
    return false;
  }
}

function mark(on: boolean): void {
  try {
    if (on) localStorage.setItem(MARK, "yes");
    else localStorage.removeItem(MARK);
  } catch {
    // Without storage there is no way to sign out but the end of the session.
  }
}

export function SignIn({ reason, done }: { reason: string; done: () => void }) {
  const [token, set] = useState("");
  const [wrong, say] = useState("");
  const [busy, wait] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    wait(true);
    const refused = await send("login", { token: token.trim() });
    wait(false);
    if (refused) return say(sentence(refused.message));
    mark(true);
    done();
  };
  return (
    <form class="card sign-in" onSubmit={submit}>
      <Heading>Sign in</Heading>
      <p>
        Paste a token, such as that of <code>kubectl create token NAME --audience highwater</code>. It becomes a cookie of this browser.
      </p>
      <label for="token">Token</label>
      <input id="token" type="password" autocomplete="current-password" required value={token} aria-describedby="wrong" aria-invalid={wrong !== ""} onInput={(event) => set(event.currentTarget.value)} />
      <p id="wrong" role="alert" class="wrong">
        {wrong || (signedIn() ? sentence(reason) : "")}
      </p>
      <button type="submit" disabled={busy}>
        Sign in
      </button>
    </form>
  );
}

export function SignOut({ done }: { done: () => void }) {
  if (!signedIn()) return null;
  const leave = async () => {
    await send("logout", {});
    mark(false);
    done();
  };
  return (
    <button type="button" class="link" onClick={leave}>
      Sign out
    </button>
  );
}
