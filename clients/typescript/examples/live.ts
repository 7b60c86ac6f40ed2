/**
 * Separates while it records: raw PCM from standard input, vocals as raw PCM to standard output.
 *
 *     arecord -f cd -t raw | node live.js http://127.0.0.1:8000 | aplay -f FLOAT_LE -c 2 -r 44100
 */
import { once } from "node:events";
import { Client, StemwireError } from "stemwire";

const server = process.argv[2];
if (!server) {
  console.error("usage: live.js SERVER");
  process.exit(2);
}
const separation = new Client(server).separate(process.stdin, {
  raw: { encoding: "s16", sampleRate: 44_100, channels: 2 },
  stems: ["vocals"],
  onEngineChange: ({ message }) => console.error("note:", message),
  onReconnect: ({ message }, pauseMs) => console.error(`${message}: trying again in ${Math.round(pauseMs)} ms`),
});
try {
  for await (const { pcm } of separation) {
    if (!process.stdout.write(pcm)) await once(process.stdout, "drain");
  }
} catch (error) {
  console.error("error:", error instanceof Error ? error.message : error);
  if (error instanceof StemwireError) console.error("remedy:", error.remedy);
  process.exit(1);
}
