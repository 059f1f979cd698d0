import { columnsOf, draw, isLive, lineWidth, padTo, paint, print } from './terminal.ts';

const TITLE_COLUMNS = 10;

/** Result of a step and the text to print. Lines after the first are remarks. */
export interface StepResult<Value> {
  readonly value: Value;
  readonly detail: string;
}

/** Runs one preparation step and prints its progress, its result and its duration. */
export async function step<Value>(
  title: string,
  work: (tell: (line: string) => void) => Promise<StepResult<Value>>,
): Promise<Value> {
  const startedAt = performance.now();
  const showPending = () => isLive && draw(paint('dim', `  … ${title}`));
  const hidePending = () => isLive && draw('\r\x1b[2K');
  const tell = (line: string) => {
    hidePending();
    print(paint('dim', `    ${line}`));
    showPending();
  };
  showPending();
  try {
    const { value, detail } = await work(tell);
    hidePending();
    printDone(title, detail, `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    return value;
  } catch (error) {
    hidePending();
    print(`  ${paint('red', '✗')} ${title}`);
    throw error;
  }
}

function printDone(title: string, detail: string, time: string): void {
  const [first = '', ...remarks] = detail.split('\n');
  const start = `  ${paint('green', '✓')} ${padTo(title, TITLE_COLUMNS)}${first}`;
  const gap = ' '.repeat(Math.max(2, lineWidth() - columnsOf(start) - time.length));
  print(`${start}${gap}${paint('dim', time)}`);
  for (const remark of remarks) print(`${' '.repeat(4 + TITLE_COLUMNS)}${paint('dim', remark)}`);
}
