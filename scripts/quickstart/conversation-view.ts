import type { Speaker } from './conversations.ts';
import {
  columnsOf,
  draw,
  isLive,
  lineCount,
  lineWidth,
  padTo,
  paint,
  print,
  type Style,
  wrap,
} from './terminal.ts';

const colours: readonly Style[] = ['cyan', 'magenta', 'yellow', 'green'];
/** Minimum width for showing conversations side by side. */
const COLUMNS_FROM = 100;

type Kind = Exclude<keyof Speaker, 'pauses'>;

const marks: Readonly<Record<Kind, string>> = { asks: '›', says: ' ', calls: '→', returns: '←' };

const styles: Readonly<Record<Kind, Style | null>> = {
  asks: 'bold',
  says: null,
  calls: 'yellow',
  returns: 'yellow',
};

interface Paragraph {
  readonly kind: Kind;
  text: string;
}

interface Voice {
  readonly name: string;
  readonly title: string;
  readonly colour: Style;
  readonly paragraphs: Paragraph[];
  paused: boolean;
  /** Number of lines printed so far. Used only where nothing is redrawn. */
  printed: number;
}

/**
 * Shows several conversations at the same time. On a terminal, each has its own area and grows word by word. A wide
 * terminal shows them side by side. Elsewhere, each full line is printed with the name of its conversation.
 */
export class ConversationView {
  private readonly voices: Voice[];
  private readonly nameColumns: number;
  private drawnLines = 0;

  constructor(conversations: readonly { readonly name: string; readonly title: string }[]) {
    this.voices = conversations.map(({ name, title }, index) => ({
      name,
      title,
      colour: colours[index % colours.length] ?? 'white',
      paragraphs: [],
      paused: true,
      printed: 0,
    }));
    this.nameColumns = Math.max(...conversations.map(({ name }) => name.length));
  }

  speaker(name: string): Speaker {
    const voice = this.voices.find((candidate) => candidate.name === name);
    if (voice === undefined) throw new RangeError(`there is no conversation ${name} in this view`);
    const add = (kind: Kind) => (text: string) => {
      const last = voice.paragraphs.at(-1);
      if (last === undefined || voice.paused || last.kind !== kind) voice.paragraphs.push({ kind, text });
      else last.text += text;
      voice.paused = kind === 'asks' || kind === 'returns';
      this.show(voice);
    };
    return {
      asks: add('asks'),
      says: add('says'),
      calls: add('calls'),
      returns: add('returns'),
      pauses: () => {
        voice.paused = true;
        this.show(voice);
      },
    };
  }

  /** Draws the complete text a last time and leaves it on the screen. */
  finish(): void {
    if (!isLive) return;
    this.redraw(Number.POSITIVE_INFINITY);
    print();
  }

  private show(voice: Voice): void {
    if (isLive) this.redraw(lineCount() - 1);
    else this.printNewLines(voice);
  }

  private printNewLines(voice: Voice): void {
    const lines = linesOf(voice, lineWidth() - this.nameColumns - 5);
    // The last line may still change while it grows.
    const final = voice.paused ? lines.length : lines.length - 1;
    for (const line of lines.slice(voice.printed, final)) print(this.prefixed(voice, line));
    voice.printed = Math.max(voice.printed, final);
  }

  private redraw(maxLines: number): void {
    const lines = lineWidth() >= COLUMNS_FROM ? this.sideBySide() : this.stacked();
    const shown = lines.slice(-maxLines);
    const back = this.drawnLines > 1 ? `\x1b[${this.drawnLines - 1}A` : '';
    draw(`${back}\r\x1b[0J${shown.join('\n')}`);
    this.drawnLines = shown.length;
  }

  private stacked(): string[] {
    const columns = lineWidth() - this.nameColumns - 5;
    const blocks = this.voices.map((voice) =>
      linesOf(voice, columns).map((line) => this.prefixed(voice, line)),
    );
    return blocks.flatMap((block, index) => (index === 0 ? block : ['', ...block]));
  }

  private sideBySide(): string[] {
    const columns = Math.floor((lineWidth() - 2 - 3 * (this.voices.length - 1)) / this.voices.length);
    const blocks = this.voices.map((voice) => [
      paint(['bold', voice.colour].flat() as Style, voice.title),
      paint(voice.colour, '─'.repeat(columns)),
      ...linesOf(voice, columns),
    ]);
    const height = Math.max(...blocks.map((block) => block.length));
    return Array.from({ length: height }, (_, row) => {
      const cells = blocks.map((block) => padTo(block[row] ?? '', columns));
      return `  ${cells.join(paint('dim', row < 2 ? '   ' : ' │ '))}`.trimEnd();
    });
  }

  private prefixed({ name, colour }: Voice, line: string): string {
    return `  ${paint(colour, `${padTo(name, this.nameColumns)} │`)} ${line}`.trimEnd();
  }
}

function linesOf({ paragraphs }: Voice, columns: number): string[] {
  return paragraphs.flatMap(({ kind, text }) => {
    const style = styles[kind];
    return wrap(text, columns - columnsOf(marks[kind]) - 1).map((line, index) => {
      const mark = index === 0 ? marks[kind] : ' ';
      return style === null ? `${mark} ${line}` : paint(style, `${mark} ${line}`);
    });
  });
}
