import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The objects of the provider's Chat Completions API, by their names in the `openai` package. */
export type ProviderObject = 'ChatCompletionCreateParamsBase' | 'ChatCompletion' | 'ChatCompletionChunk';

const root = fileURLToPath(new URL('../../', import.meta.url));
const module = 'openai/resources/chat/completions/completions';
const primitive =
  ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.BooleanLike | ts.TypeFlags.BigIntLike;
const nothing = ts.TypeFlags.Null | ts.TypeFlags.Undefined;

/**
 * Lists every member of the provider's objects that can hold a value, from the declarations of the installed package:
 * `messages[].content[].text`. All branches of unions count. Objects with free names (metadata, JSON Schema) are one path.
 * Throws when the package has no such type.
 */
export function providerPaths<Name extends ProviderObject>(names: readonly Name[]): Record<Name, string[]> {
  const file = `${root}src/adapters/openai/openai-provider.ts`;
  const resolution: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const declarations = ts.resolveModuleName(
    module,
    file,
    resolution,
    ts.sys,
    undefined,
    undefined,
    ts.ModuleKind.ESNext,
  ).resolvedModule?.resolvedFileName;
  if (declarations === undefined) throw new Error(`the package has no ${module}`);
  const options = { ...resolution, strict: true, skipLibCheck: true, types: [], lib: ['lib.es2024.d.ts'] };
  const program = ts.createProgram([declarations], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(declarations);
  const symbol = source && checker.getSymbolAtLocation(source);
  const exported = new Map(
    symbol && checker.getExportsOfModule(symbol).map((member) => [member.name, member]),
  );
  const paths = {} as Record<Name, string[]>;
  for (const name of names) {
    const object = exported.get(name);
    if (object === undefined) throw new Error(`${module} has no ${name}`);
    const found = new Set<string>();
    walk(checker.getDeclaredTypeOfSymbol(object), '', checker, found);
    paths[name] = [...found].sort();
  }
  return paths;
}

function walk(type: ts.Type, path: string, checker: ts.TypeChecker, found: Set<string>): void {
  if (type.flags & nothing) return;
  if (type.isUnion()) {
    for (const branch of type.types) walk(branch, path, checker, found);
    return;
  }
  const items = checker.isArrayType(type) ? checker.getIndexTypeOfType(type, ts.IndexKind.Number) : undefined;
  if (items !== undefined) {
    walk(items, `${path}[]`, checker, found);
    return;
  }
  const members = isText(type) ? [] : checker.getPropertiesOfType(type);
  // A value without named members (a text, a number or an object with free names) is mapped as a whole.
  if (members.length === 0) found.add(path);
  for (const member of members) {
    walk(
      checker.getTypeOfSymbol(member),
      path === '' ? member.name : `${path}.${member.name}`,
      checker,
      found,
    );
  }
}

/** Also `string & {}`, by which the package means: these, or any other. */
function isText(type: ts.Type): boolean {
  return (type.flags & primitive) !== 0 || (type.isIntersection() && type.types.some(isText));
}
