import type { CommandLine, Tool } from './options/tool.ts';

/** The reason in words, by the system's code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not read it',
};

/** Reads files for commands. If a file cannot be read, the error names its option or argument. */
export function namedFiles(
  line: Pick<CommandLine, 'readFile' | 'openFile'>,
): Pick<Tool, 'readFile' | 'openFile'> {
  return {
    readFile(path, option = 'file') {
      try {
        return line.readFile(path);
      } catch (error) {
        throw unreadable(path, option, error);
      }
    },
    async *openFile(path, option = 'file') {
      try {
        yield* line.openFile(path);
      } catch (error) {
        throw unreadable(path, option, error);
      }
    },
  };
}

function unreadable(path: string, option: string, cause: unknown): Error {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return new Error(`${option} ${path} cannot be read: ${REASONS[code] ?? message}`, { cause });
}
