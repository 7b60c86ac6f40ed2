/** Separates a song into WAV files: save_stems.js SERVER SONG FOLDER [STEM …]. */
import { Client, StemwireError } from "stemwire";

const [server, song, folder, ...stems] = process.argv.slice(2);
if (!server || !song || !folder) {
  console.error("usage: save_stems.js SERVER SONG FOLDER [STEM …]");
  process.exit(2);
}
try {
  const onProgress = ({ finishedFrames, totalFrames }: { finishedFrames: bigint; totalFrames: bigint }) =>
    console.error(`${finishedFrames} of ${totalFrames || "?"} frames`);
  const saved = await new Client(server).separate(song, { stems, onProgress }).save(folder);
  for (const [stem, file] of Object.entries(saved.files)) console.log(stem, file);
} catch (error) {
  console.error("error:", error instanceof Error ? error.message : error);
  if (error instanceof StemwireError) console.error("remedy:", error.remedy);
  process.exit(1);
}
