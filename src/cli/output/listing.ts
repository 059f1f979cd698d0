import { type Command, Option } from 'commander';
import { visibleJson } from '../../domain/text/visible-text.ts';
import { type ColumnKind, csv, table } from '../../spend/report/text-table.ts';
import type { Tool } from '../options/tool.ts';

const OUTPUTS = ['table', 'json', 'csv'] as const;
/** How a command writes its data. */
export type Output = (typeof OUTPUTS)[number];

/** The flags of every command with `--output`. */
export interface OutputFlags {
  readonly output: Output;
  readonly json?: boolean;
  /** The former name of `--output`. */
  readonly format?: Output;
}

/** Rows that are buffered to find the column widths of a table. */
const ROWS_IN_A_PAGE = 1_000;

/** Adds `--output`, and `--json` for short. @param json what JSON is here */
export function withOutput(command: Command, json: 'one object a line' | 'one document'): Command {
  const described = `how data is written: a table, JSON (${json}; times in ISO 8601), or CSV with a header`;
  return command
    .addOption(new Option('-o, --output <format>', described).choices(OUTPUTS).default('table'))
    .option('--json', 'the same as --output json');
}

/** @param warn called if the former flag was used */
export function outputOf({ output, json, format }: OutputFlags, warn?: (text: string) => void): Output {
  if (format !== undefined) warn?.('warning: --format is now called --output; --format will be removed\n');
  return json ? 'json' : (format ?? output);
}

/** One column of a listing. */
export interface Column<Row> {
  readonly name: string;
  readonly kind?: ColumnKind;
  readonly cell: (row: Row) => string | number | null;
}

/** Writes rows as they arrive: a table with a header, JSON lines, or CSV. Data goes to standard output, notes to standard error. */
export class Listing<Row> {
  readonly #tool: Pick<Tool, 'printPage' | 'printError'>;
  readonly #output: Output;
  readonly #columns: readonly Column<Row>[];
  readonly #asJson: (row: Row) => object;
  readonly #kinds: readonly ColumnKind[];
  readonly #page: string[][] = [];
  #count = 0;

  constructor(
    tool: Pick<Tool, 'printPage' | 'printError'>,
    output: Output,
    columns: readonly Column<Row>[],
    asJson: (row: Row) => object,
  ) {
    this.#tool = tool;
    this.#output = output;
    this.#columns = columns;
    this.#asJson = asJson;
    this.#kinds = columns.map(({ kind = 'text' }) => kind);
  }

  async add(row: Row): Promise<void> {
    this.#count += 1;
    if (this.#output === 'json') return this.#tool.printPage(jsonLine(this.#asJson(row)));
    if (this.#count === 1) this.#addHeader();
    this.#page.push(this.#columns.map(({ cell }) => String(cell(row) ?? '')));
    if (this.#page.length > ROWS_IN_A_PAGE) await this.#write();
  }

  /** @param empty the note if there was no row */
  async end(empty: string): Promise<void> {
    // A program that reads CSV expects its header in any case.
    if (this.#count === 0 && this.#output === 'csv') this.#addHeader();
    await this.#write();
    if (this.#count === 0) this.#tool.printError(`${empty}\n`);
  }

  #addHeader(): void {
    this.#page.push(this.#columns.map(({ name }) => name));
  }

  async #write(): Promise<void> {
    const rows = this.#page.splice(0);
    if (rows.length > 0)
      await this.#tool.printPage((this.#output === 'csv' ? csv : table)(rows, this.#kinds));
  }
}

/** One object as a line of JSON. */
export function jsonLine(value: object): string {
  return `${visibleJson(JSON.stringify(value))}\n`;
}

/** Epoch milliseconds as ISO 8601. */
export function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
