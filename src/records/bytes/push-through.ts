/** Decoders that are pushed to, as a stream that is pulled from. */

/** What fflate's and fzstd's streams have in common. */
interface PushDecoder {
  push(chunk: Uint8Array, final?: boolean): unknown;
}

/**
 * What a decoder makes of `chunks`. So many bytes are pushed at once: what a decoder makes of them is held, and that may be a
 * thousand times as much and more. Throws what the decoder throws, also where the stream ends too early.
 */
export async function* pushThrough(
  chunks: AsyncIterable<Uint8Array>,
  pushedBytes: number,
  decoder: (give: (data: Uint8Array) => void) => PushDecoder,
): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const given = decoder((data) => {
    if (data.length > 0) ready.push(data);
  });
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += pushedBytes) {
      given.push(chunk.subarray(at, at + pushedBytes));
      yield* ready.splice(0);
    }
  }
  given.push(new Uint8Array(0), true);
  yield* ready.splice(0);
}
