/** The program that clients/conformance runs: [web] TASK, a task as JSON or a list of them; what was received as JSON out. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { openAsBlob, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Code, type SampleEncoding, StemwireError } from "stemwire";
import { Client as WebClient } from "stemwire/web";

/** See clients/conformance/README.md. */
interface Task {
  readonly server: string;
  readonly token?: string;
  readonly authority?: string;
  readonly attempts?: number;
  readonly song?: string;
  readonly watch?: string;
  readonly stems?: readonly string[];
  readonly model?: string;
  readonly request_id?: string;
  readonly encoding?: SampleEncoding;
  readonly raw?: boolean;
  readonly memory?: boolean;
  readonly start_frame?: number;
  readonly time_limit_ms?: number;
  readonly slow_ms?: number;
  readonly cancel?: boolean;
  readonly leave?: boolean;
  readonly measure?: boolean;
}

const isWeb = process.argv[2] === "web";
const asked = JSON.parse(process.argv.at(-1) ?? "{}") as Task | Task[];
const [task] = [asked].flat();
if (isWeb && task?.authority && process.env["NODE_EXTRA_CA_CERTS"] !== task.authority) {
  // `fetch` has the authorities of the process, as of a browser.
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: task.authority };
  process.exit(spawnSync(process.execPath, process.argv.slice(1), { stdio: "inherit", env }).status ?? 1);
}
if (Array.isArray(asked)) {
  const answers = [];
  for (const one of asked) answers.push(await answer(one));
  console.log(JSON.stringify(answers));
} else {
  console.log(JSON.stringify(await answer(asked)));
}
process.exit();

async function answer(task: Task): Promise<object> {
  try {
    return await run(task);
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError") {
      return { error: { code: Code.DeadlineExceeded, reason: "", message: error.message, remedy: "Set a longer limit." } };
    }
    if (!(error instanceof StemwireError)) throw error;
    const { code, reason, message, remedy } = error;
    return { error: { code, reason, message, remedy } };
  }
}

async function run(task: Task): Promise<object> {
  let reconnects = 0;
  const began = performance.now();
  let firstS = 0;
  const separation = await start(task, () => (reconnects += 1));
  const stems = new Map<string, { frames: number; hash: ReturnType<typeof createHash> }>();
  let chunks = 0;
  for await (const chunk of separation) {
    const received = stems.get(chunk.stem) ?? { frames: 0, hash: createHash("sha256") };
    stems.set(chunk.stem, received);
    const expected = (task.start_frame ?? 0) + received.frames;
    if (expected !== chunk.startFrame) throw new Error(`a frame is repeated or missing: ${expected}, ${chunk.startFrame}`);
    received.frames += chunk.frames;
    chunks += 1;
    if (!task.measure) received.hash.update(chunk.pcm);
    else if (chunks === 1) firstS = (performance.now() - began) / 1000;
    if (task.leave) break;
    if (task.cancel && chunks === 1) await separation.cancel();
    if (task.slow_ms) await sleep(task.slow_ms);
  }
  const measured = task.measure ? { first_s: firstS, seconds: (performance.now() - began) / 1000 } : {};
  const { session } = separation;
  return {
    ...measured,
    session: session?.sessionId ?? "",
    rate: session?.source?.outputSampleRate ?? 0,
    reconnects,
    stems: Object.fromEntries([...stems].map(([name, { frames, hash }]) => [name, { frames, sha256: hash.digest("hex") }])),
  };
}

async function start(task: Task, onReconnect: () => void) {
  const { server, token, authority, attempts, encoding = "f32", stems = [], model = "", request_id: requestId } = task;
  const connection = { ...(token && { token }), ...(attempts !== undefined && { retry: { attempts } }) };
  const ca = authority ? { ca: readFileSync(authority) } : {};
  const client = isWeb ? new WebClient(server, connection) : new Client(server, { ...connection, ...ca });
  const signal = task.time_limit_ms === undefined ? {} : { signal: AbortSignal.timeout(task.time_limit_ms) };
  const options = { encoding, stems, onReconnect, onEngineChange: () => undefined, ...signal };
  if (task.watch) return client.watch(task.watch, { ...options, startFrame: task.start_frame ?? 0 });
  const settings = {
    ...options,
    model,
    ...(requestId && { requestId }),
    ...(task.raw && { raw: { encoding: "s16", sampleRate: 44_100, channels: 2 } as const }),
  };
  if (!task.song) return client.separate(process.stdin, settings);
  if (task.memory) return client.separate(readFileSync(task.song), settings);
  return client instanceof WebClient ? client.separate(await openAsBlob(task.song), settings) : client.separate(task.song, settings);
}
