// Uploads by tus-js-client, one after the other: node tus_client.cjs '[{"path": …, "options": …, "stop_at": …, "pause_ms": …}, …]'
// Prints a line of JSON for each: its URL, or the status of the response that ended it.
const { readFileSync } = require("fs");
const tus = require(process.env.STEMWIRE_TUS ?? "tus-js-client");

function upload({ path, options, stop_at, terminate, pause_ms }) {
  return new Promise((resolve) => {
    const upload = new tus.Upload(readFileSync(path), {
      retryDelays: [200, 500, 1000, 1000, 1000, 2000, 2000],
      onBeforeRequest: () => new Promise((sent) => setTimeout(sent, pause_ms ?? 0)),
      onChunkComplete: async (_size, sent) => {
        if (!stop_at || sent < stop_at) return;
        await upload.abort(terminate ?? false);
        resolve({ url: upload.url, sent });
      },
      onError: (error) => resolve({ status: error.originalResponse?.getStatus(), error: String(error) }),
      onSuccess: () => resolve({ url: upload.url }),
      ...options,
    });
    upload.start();
  });
}

(async () => {
  for (const one of JSON.parse(process.argv[2])) console.log(JSON.stringify(await upload(one)));
})();
