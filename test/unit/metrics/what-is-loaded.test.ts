import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Built-in modules that a process has loaded after importing these. */
function loaded(...modules: readonly string[]): readonly string[] {
  const imports = modules.map((module) => `await import(${JSON.stringify(new URL(module, import.meta.url).href)});`);
  const program = `${imports.join('\n')} console.log(JSON.stringify(process.moduleLoadList));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  return JSON.parse(output) as string[];
}

const large = ['NativeModule internal/deps/undici/undici', 'NativeModule http2'];

it('the monitoring sidecar and its admin load neither undici nor HTTP/2, which are 5 MB and more', () => {
  const modules = loaded('../../../src/metrics/role.ts', '../../../src/role/index.ts');
  expect(modules).toContain('NativeModule http');
  for (const module of large) expect(modules).not.toContain(module);
});

it('a gRPC check loads HTTP/2', () => {
  expect(loaded('../../../src/health-probe/ask-grpc.ts')).toContain('NativeModule http2');
});
