/** Decoders that are pushed to, as a stream that is pulled from. */

/** What fflate's and fzstd's streams have in common. */
interface PushDecoder {
  push(chunk: Uint8Array, final?: boolean): unknown;
}

/** So much is pushed at once: what a decoder makes of it is held, and that may be a thousand times as much. */
const PUSHED_BYTES = 1 << 14;

/** What a decoder makes of `chunks`. Throws what the decoder throws, also where the stream ends too early. */
export async function* pushThrough(
  chunks: AsyncIterable<Uint8Array>,
  decoder: (give: (data: Uint8Array) => void) => PushDecoder,
): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const given = decoder((data) => {
    if (data.length > 0) ready.push(data);
  });
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PUSHED_BYTES) {
      given.push(chunk.subarray(at, at + PUSHED_BYTES));
      yield* ready.splice(0);
    }
  }
  given.push(new Uint8Array(0), true);
  yield* ready.splice(0);
}
