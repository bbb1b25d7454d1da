// Typed lint, and the import rules of the house. Who may import whom is written once, in scripts/import-rules.ts; the contract
// test walks the imports with the same table, because lint does not see through dynamic imports.
import tseslint from 'typescript-eslint';
import { restrictedImports } from './scripts/import-rules.ts';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.tmp/', 'coverage/', 'test/fixtures/', 'examples/', '**/*.mjs', '**/*.cjs'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // Numbers and booleans in messages are what they look like.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNullish: false, allowAny: false, allowNever: true },
      ],
      // `() => log(x)` is how a callback without a result is written here.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // What comes from servers and files may differ from its declared type, and a `let` that a callback changes is not what
      // control flow says: both are checked at run time on purpose.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
      // An interface asks for a promise; an implementation that needs none still has to give one.
      '@typescript-eslint/require-await': 'off',
      // `[...text]` is how text is taken apart by code points here; emojis of several do not occur in names.
      '@typescript-eslint/no-misused-spread': 'off',
      // Dictionaries of JSON are read with names that are data.
      '@typescript-eslint/no-dynamic-delete': 'off',
      // The rule of typescript-eslint 8.73 overflows its stack on types that contain themselves, as JSON and YAML values do.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-restricted-globals': [
        'error',
        ...['exports', 'module', 'require', '__dirname', '__filename'].map((name) => ({
          name,
          message: 'this is ESM: the name does not exist at run time',
        })),
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      'no-console': 'off',
      // Tests take apart what they know is there.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // How a test writes what looks like a secret without looking like one itself.
      '@typescript-eslint/no-unnecessary-template-expression': 'off',
      '@typescript-eslint/no-unnecessary-boolean-literal-compare': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.name='expect'] MemberExpression[object.name=/^(performance|Date)$/][property.name='now']",
          message: 'how long a thing takes depends on what else the machine does: count, wait with until(), or ask processorTime()',
        },
      ],
    },
  },
  ...restrictedImports(),
);
