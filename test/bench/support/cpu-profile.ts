import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of V8's .cpuprofile, what is read here. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds between samples. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** Time of one function, without what it calls. */
export interface FunctionTime {
  readonly name: string;
  readonly file: string;
  /** From 1; 0 for what has no source. */
  readonly line: number;
  readonly milliseconds: number;
}

/** Time of a package or of a part of the service. */
export interface GroupTime {
  readonly group: string;
  readonly milliseconds: number;
}

export interface ProfileTimes {
  readonly busyMs: number;
  /** By self time, the longest first. */
  readonly functions: readonly FunctionTime[];
  /**
   * By what the time was spent for: what Node and V8 do is counted to the nearest caller outside of them. The collector
   * and what the event loop does alone remain apart.
   */
  readonly groups: readonly GroupTime[];
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const IDLE: ReadonlySet<string> = new Set(['(idle)', '(root)']);

/** @param skipMs the start, which is left out */
export function readProfile(file: string, skipMs: number): ProfileTimes {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const selfMs = new Map<number, number>();
  let elapsed = 0;
  profile.samples.forEach((node, index) => {
    const milliseconds = (profile.timeDeltas[index] ?? 0) / 1000;
    elapsed += milliseconds;
    if (elapsed >= skipMs) selfMs.set(node, (selfMs.get(node) ?? 0) + milliseconds);
  });
  const busy = profile.nodes.filter(({ callFrame }) => !IDLE.has(callFrame.functionName));
  const groupOfNode = groupsOf(profile.nodes);
  const byFunction = new Map<string, FunctionTime>();
  const byGroup = new Map<string, number>();
  for (const { id, callFrame } of busy) {
    const milliseconds = selfMs.get(id) ?? 0;
    const { functionName, url, lineNumber } = callFrame;
    const key = `${functionName} ${url} ${lineNumber}`;
    byFunction.set(key, {
      name: functionName || '(anonymous)',
      file: url === '' ? '(native)' : shortName(url),
      line: url === '' ? 0 : lineNumber + 1,
      milliseconds: (byFunction.get(key)?.milliseconds ?? 0) + milliseconds,
    });
    const group = groupOfNode.get(id) ?? functionName;
    byGroup.set(group, (byGroup.get(group) ?? 0) + milliseconds);
  }
  const longestFirst = (one: { milliseconds: number }, other: { milliseconds: number }) =>
    other.milliseconds - one.milliseconds;
  return {
    busyMs: busy.reduce((sum, { id }) => sum + (selfMs.get(id) ?? 0), 0),
    functions: [...byFunction.values()].sort(longestFirst),
    groups: [...byGroup].map(([group, milliseconds]) => ({ group, milliseconds })).sort(longestFirst),
  };
}

/** Each node's own group, or else that of its nearest caller that has one. */
function groupsOf(nodes: readonly ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const groups = new Map<number, string>();
  const root = nodes.find(({ callFrame }) => callFrame.functionName === '(root)');
  const open: { id: number; inherited: string }[] = [{ id: root?.id ?? 1, inherited: 'node alone' }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const node = byId.get(next.id);
    if (node === undefined) continue;
    const group = groupOf(node.callFrame) ?? next.inherited;
    groups.set(next.id, group);
    for (const id of node.children ?? []) open.push({ id, inherited: group });
  }
  return groups;
}

function groupOf({ functionName, url }: ProfileNode['callFrame']): string | null {
  if (functionName === '(garbage collector)' || functionName === '(program)') return functionName;
  const module = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (module !== undefined) return module;
  const name = shortName(url);
  return name.startsWith('src/') ? name : null;
}

function shortName(url: string): string {
  return url.startsWith('file://') ? relative(ROOT, fileURLToPath(url)) : url;
}
