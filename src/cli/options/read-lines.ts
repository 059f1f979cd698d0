/**
 * The lines of a text that arrives in pieces, without their ends (LF or CRLF), numbered from 1. Empty lines are skipped.
 */
export async function* readLines(
  pieces: AsyncIterable<string | Uint8Array>,
): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  const decoder = new TextDecoder();
  let number = 0;
  let rest = '';
  const split = function* (text: string, isLast: boolean) {
    const lines = (rest + text).split('\n');
    rest = isLast ? '' : (lines.pop() ?? '');
    for (const line of lines) {
      number += 1;
      if (line.trim() !== '') yield { number, text: line.endsWith('\r') ? line.slice(0, -1) : line };
    }
  };
  for await (const piece of pieces) {
    yield* split(typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true }), false);
  }
  yield* split(decoder.decode(), true);
}
