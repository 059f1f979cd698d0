import type { ChatChunk, ChatResponse } from '../../contract/record-types.ts';
import { visibleText } from '../../domain/text/visible-text.ts';
import type { Tool } from '../options/tool.ts';

/**
 * Prints the first choice of an answer while it streams, and the missing rest when the response arrives. Chunks and responses are
 * read from different topics, and either may arrive first.
 */
export class AnswerPrinter {
  readonly #tool: Pick<Tool, 'print' | 'printError'>;
  #attempt = 0;
  #nextSequence = 0;
  #printed = '';

  constructor(tool: Pick<Tool, 'print' | 'printError'>) {
    this.#tool = tool;
  }

  chunk({ attempt, sequence, choiceIndex, content }: ChatChunk): void {
    if (attempt < this.#attempt) return;
    if (attempt > this.#attempt) {
      if (this.#printed !== '') this.#startAgain();
      this.#attempt = attempt;
      this.#nextSequence = 0;
    }
    // A repeated chunk, or one after a gap: the response has the whole text.
    if (sequence !== this.#nextSequence) return;
    this.#nextSequence += 1;
    if (choiceIndex === 0) this.#print(content);
  }

  response({ choices }: ChatResponse): void {
    // Later chunks would repeat it.
    this.#attempt = Number.POSITIVE_INFINITY;
    const several = choices.length > 1;
    for (const { index, content, refusal, toolCalls } of choices) {
      if (index === 0 && content !== null) this.#rest(content);
      else if (content !== null) this.#line(`[choice ${index}] ${visibleText(content)}`);
      if (refusal !== null)
        this.#line(`[refusal${several ? ` of choice ${index}` : ''}] ${visibleText(refusal)}`);
      for (const { name, arguments: input } of toolCalls)
        this.#line(`[calls ${visibleText(name)}(${visibleText(input)})]`);
    }
    this.#endLine();
  }

  #rest(content: string): void {
    if (!content.startsWith(this.#printed)) this.#startAgain();
    this.#print(content.slice(this.#printed.length));
  }

  #startAgain(): void {
    this.#endLine();
    this.#tool.printError('[the stream broke; restarting]\n');
    this.#printed = '';
  }

  #print(text: string): void {
    if (text === '') return;
    this.#printed += text;
    this.#tool.print(visibleText(text));
  }

  #line(text: string): void {
    this.#endLine();
    this.#tool.print(`${text}\n`);
  }

  #endLine(): void {
    if (this.#printed !== '' && !this.#printed.endsWith('\n')) this.#tool.print('\n');
    if (this.#printed !== '') this.#printed += '\n';
  }
}
