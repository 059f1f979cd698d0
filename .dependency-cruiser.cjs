/** The direction of imports, as docs/architecture.md draws it. `npm run check` also fails when no module was looked at. */
const stages = (folders) =>
  folders.slice(1).map((folder, index) => ({
    name: `${folder.replace('/', '-')}-sees-no-stage-above`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: { path: folders.slice(0, index + 1).map((above) => `^src/${above}/[^/]+$`) },
  }));

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-cycles-between-folders',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'domain-is-pure',
      comment: 'The domain sees itself, the contract’s types and one decimal library; nothing of Node.',
      severity: 'error',
      from: { path: '^src/domain' },
      to: { pathNot: ['^src/domain', '^src/contract', 'node_modules/(@types/)?big\\.js'] },
    },
    {
      name: 'contract-stands-alone',
      severity: 'error',
      from: { path: '^src/contract' },
      to: { path: '^src', pathNot: '^src/contract' },
    },
    ...stages([
      // Each stage of a request sees those below it.
      'pipeline',
      'pipeline/lanes',
      'pipeline/handling',
      'pipeline/calling',
      'pipeline/chunks',
      'pipeline/claims',
      'pipeline/outcome',
      'pipeline/intake',
      'pipeline/admission',
    ]),
    {
      name: 'pipeline-sees-no-adapter',
      severity: 'error',
      from: { path: '^src/(pipeline|catalog|spend|dead-letters)' },
      to: {
        path: [
          '^src/adapters',
          '^src/(main|service|roles|cli)',
          'node_modules/(kafkajs|mongodb|openai|avsc|undici|ajv|ajv-formats|gpt-tokenizer)/',
        ],
      },
    },
    {
      name: 'adapters-see-ports-domain-contract',
      severity: 'error',
      from: { path: '^src/adapters/([^/]+)' },
      to: { path: ['^src/(pipeline|main|service|roles|cli)', '^src/adapters/(?!$1)'] },
    },
    {
      name: 'client-sees-contract-and-kafka',
      comment: 'A program that uses the client loads nothing of the pipeline, of MongoDB or of OpenAI.',
      severity: 'error',
      from: { path: '^src/client' },
      to: {
        path: ['^src', 'node_modules/(mongodb|openai|undici|ajv|ajv-formats|gpt-tokenizer)/'],
        pathNot: '^src/(client|contract|adapters/(kafka|avro)|ports/kafka\\.ts|runtime/logger\\.ts)',
      },
    },
    {
      name: 'client-is-its-own-entry',
      comment: 'Commands are built on the client; the service is not.',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/(client|cli)' },
      to: { path: '^src/client' },
    },
    {
      name: 'only-the-composition-root-sees-adapters',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(adapters|main|service|roles|cli|client)' },
      to: { path: '^src/adapters' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
