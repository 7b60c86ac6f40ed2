/** The client for Node.js, over gRPC: `import { Client } from "stemwire"`. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { CommonClient } from "./client.js";
import { bearer, type ConnectionOptions } from "./connection.js";
import { FileSong } from "./file_song.js";
import type { Sha256 } from "./hash.js";
import type { SeparationOptions, WatchOptions } from "./options.js";
import { type Saved, StemFolder } from "./save.js";
import { Separation as CommonSeparation } from "./separation.js";
import { openSong, type Song, type SongInput } from "./song.js";

export * from "./common.js";
export type { Saved } from "./save.js";

/** Limit of a message; the server's are far smaller. */
const MESSAGE_LIMIT = 4 << 20;

/** A peer that disappears without closing the connection is found within 30 seconds. */
const PINGS = { pingIntervalMs: 20_000, pingTimeoutMs: 10_000 };

/** Options of a client; all may be left out. */
export interface ClientOptions extends ConnectionOptions {
  /** The certificate authority of the server in PEM; by default those of Node.js. */
  readonly ca?: string | Uint8Array;
}

/**
 * Calls of one server, at http://HOST:PORT or https://HOST:PORT. The environment variables STEMWIRE_SERVER, STEMWIRE_TOKEN and
 * STEMWIRE_TLS_CA (a path) are the defaults, then http://127.0.0.1:8000. The first call connects.
 */
export class Client extends CommonClient<SongInput | string> {
  readonly #sessions: Http2SessionManager;

  constructor(server?: string, options: ClientOptions = {}) {
    const baseUrl = addressOf(server ?? process.env["STEMWIRE_SERVER"] ?? "http://127.0.0.1:8000");
    const token = options.token ?? process.env["STEMWIRE_TOKEN"];
    const path = process.env["STEMWIRE_TLS_CA"];
    const ca = options.ca ?? (path ? readFileSync(path) : undefined);
    const sessionManager = new Http2SessionManager(baseUrl, PINGS, ca ? { ca: typeof ca === "string" ? ca : Buffer.from(ca) } : {});
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager,
      readMaxBytes: MESSAGE_LIMIT,
      acceptCompression: [],
      interceptors: token ? [bearer(token)] : [],
    });
    super({ server: baseUrl, transport, sending: "stream", sha256: newSha256 }, options);
    this.#sessions = sessionManager;
  }

  /** Sends a song, such as the path of a file, and receives its stems while it is still being uploaded. */
  separate(song: SongInput | string, options: SeparationOptions = {}): Separation {
    return new Separation(this.following(song, options));
  }

  /** Receives the stems of an existing session. A paused one whose upload is complete is resumed. */
  watch(sessionId: string, options: WatchOptions = {}): Separation {
    return new Separation(this.watching(sessionId, options));
  }

  /** Ends all calls and closes the connection. A connection without calls keeps no process alive. */
  close(): void {
    this.connection.isClosed = true;
    this.#sessions.abort();
  }

  protected override open(song: SongInput | string): Song {
    return typeof song === "string" ? new FileSong(newSha256, song) : openSong(song, newSha256);
  }
}

/** A session that is followed, whose stems can be saved as files. */
export class Separation extends CommonSeparation {
  /**
   * Writes all stems to FOLDER/STEM.wav as they arrive, in the requested encoding; memory does not grow with the length of the
   * song. The files appear once all stems are complete, and replace files of the same names.
   */
  async save(folder: string): Promise<Saved> {
    const files = new StemFolder(folder);
    try {
      for await (const chunk of this.all("save")) await files.write(chunk);
      return { files: await files.finish(), session: this.final() };
    } finally {
      await files.discard();
    }
  }
}

function addressOf(server: string): string {
  const text = server.includes("://") ? server : `http://${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.host || !/^https?:$/.test(url.protocol) || url.pathname !== "/") {
    throw new TypeError(`${server} is not a server address. Write it as http://HOST:PORT or https://HOST:PORT.`);
  }
  return url.origin;
}

function newSha256(): Sha256 {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.copy().digest() };
}
