import { checkContext, givenContext, isLoopback } from '../../testbed/parts/context.ts';

describe("a cluster of the user's own", () => {
  it.each(['https://127.0.0.1:6443', 'https://127.8.9.10', 'https://localhost:6443', 'https://[::1]:6443'])('accepts %s', (server) => {
    expect(isLoopback(server)).toBe(true);
    expect(() => {
      checkContext('any', server);
    }).not.toThrow();
  });

  it.each([
    'https://10.0.0.1',
    'https://prod.example.com',
    'https://127.0.0.1.example.com',
    'https://localhost.example.com',
    'https://128.0.0.1',
    'nonsense',
    '',
  ])('refuses %s', (server) => {
    // the tests create and delete namespaces: a refusal that can be talked round would cost somebody a cluster
    expect(() => {
      checkContext('prod', server);
    }).toThrow(/neither on loopback nor of kind: refused/);
  });

  it('accepts a context that kind made, wherever its server is', () => {
    expect(() => {
      checkContext('kind-test', 'https://172.18.0.2:6443');
    }).not.toThrow();
    expect(() => {
      checkContext('mankind-x', 'https://172.18.0.2:6443');
    }).toThrow(/refused/);
  });

  it('never takes an ambient one', () => {
    expect(givenContext({ KUBECONFIG: '/home/me/.kube/config' })).toBeUndefined();
    expect(givenContext({ PAASTA_TESTBED_CONTEXT: '' })).toBeUndefined();
    expect(givenContext({ PAASTA_TESTBED_CONTEXT: 'kind-a' })).toBe('kind-a');
  });
});
