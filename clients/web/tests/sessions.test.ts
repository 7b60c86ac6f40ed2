import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SessionSchema, SessionState } from "stemwire/proto";
import { forget, learn, refresh, sessions, sessionsProblem } from "../src/session/sessions";
import { FakeServer } from "./server";

let server: FakeServer;
beforeEach(() => {
  Object.assign(globalThis, { document: { hidden: false }, setTimeout: () => undefined });
  server = new FakeServer();
  sessions.value = [];
});
const wait = globalThis.setTimeout;
afterEach(() => Object.assign(globalThis, { setTimeout: wait }));

const session = (sessionId: string, state = SessionState.RUNNING) => create(SessionSchema, { sessionId, state });
const listed = () => sessions.value.map(({ sessionId }) => sessionId);

test("a list that was requested before a change does not undo it", async () => {
  for (const id of ["a", "b", "c"]) server.open(id);
  await refresh();
  assert.equal(sessionsProblem.value, null);
  assert.deepEqual(listed(), ["c", "b", "a"]);
  server.onAnswer = () => {
    // Its answer is made.
    forget("b");
    learn(session("a", SessionState.DONE));
    learn(session("d"));
    learn(session("e"));
    learn(session("d", SessionState.DONE));
  };
  await refresh();
  assert.deepEqual(listed(), ["e", "d", "c", "a"]);
  assert.deepEqual(sessions.value.map(({ state }) => state === SessionState.DONE), [false, true, false, true]);
  // A later list contains the change.
  server.onAnswer = () => undefined;
  await refresh();
  assert.deepEqual(listed(), ["c", "b", "a"]);
});
