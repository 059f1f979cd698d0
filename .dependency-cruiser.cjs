/** The direction of imports, as docs/architecture.md draws it. `npm run check` also fails when no module was looked at. */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
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
      name: 'only-the-composition-root-sees-adapters',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(adapters|main|service|roles|cli)' },
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
