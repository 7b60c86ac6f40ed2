/** The client for browsers, over grpc-web: `import { Client } from "stemwire"`. */
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { sha256 } from "@noble/hashes/sha2.js";
import { CommonClient } from "./client.js";
import { bearer, type ConnectionOptions } from "./connection.js";
import type { Sha256 } from "./hash.js";
import type { SeparationOptions, WatchOptions } from "./options.js";
import { Separation } from "./separation.js";
import { openSong, type Song, type SongInput } from "./song.js";

export * from "./common.js";
export { Separation } from "./separation.js";

/** Calls of one server over grpc-web; by default the one that the page came from. */
export class Client extends CommonClient<SongInput> {
  constructor(server = location.origin, options: ConnectionOptions = {}) {
    const interceptors = options.token ? [bearer(options.token)] : [];
    const transport = createGrpcWebTransport({ baseUrl: server, interceptors });
    super({ server, transport, sending: "calls", sha256: newSha256 }, options);
  }

  /** Sends a song and receives its stems, while it is still being uploaded. */
  separate(song: SongInput, options: SeparationOptions = {}): Separation {
    return new Separation(this.following(song, options));
  }

  /** Receives the stems of an existing session. A paused one whose upload is complete is resumed. */
  watch(sessionId: string, options: WatchOptions = {}): Separation {
    return new Separation(this.watching(sessionId, options));
  }

  protected override open(song: SongInput): Song {
    return openSong(song, newSha256);
  }
}

/** The hash that browsers have takes whole messages only. */
function newSha256(): Sha256 {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.clone().digest() };
}
