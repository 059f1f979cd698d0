import type { Nodes, Root } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';

/** One Markdown file, parsed as GitHub reads it. */
export type Page = Root;

export function parsePage(markdown: string): Page {
  return fromMarkdown(markdown, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
}

/** The text of a node; code becomes one word, however long it is. */
export function textOf(node: Nodes): string {
  if (node.type === 'inlineCode') return 'code';
  if (node.type === 'text') return node.value;
  if (node.type === 'break') return ' ';
  return 'children' in node ? node.children.map(textOf).join('') : '';
}

export function lineOf(node: Nodes): number {
  return node.position?.start.line ?? 1;
}
