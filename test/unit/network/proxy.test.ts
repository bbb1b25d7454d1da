import { networkFetch, proxyFor } from '../../../src/shared/network/index.ts';

describe('proxyFor', () => {
  const env = { HTTP_PROXY: 'http://plain:1', HTTPS_PROXY: 'http://user:geheim@secure:2', NO_PROXY: 'corp.example, .svc,10.0.0.1:8443' };
  it.each([
    ['http://a.example/', 'http://plain:1'],
    ['https://a.example/', 'http://***@secure:2'],
    ['https://corp.example/', undefined],
    ['https://git.corp.example/', undefined],
    ['https://notcorp.example/', 'http://***@secure:2'],
    ['https://x.svc/', undefined],
    ['https://10.0.0.1:8443/', undefined],
    ['https://10.0.0.1/', 'http://***@secure:2'],
  ])('%s goes through %s', (url, proxy) => {
    expect(proxyFor(url, env)).toBe(proxy);
  });
  it('prefers lower case, takes addresses without scheme, and * for all', () => {
    expect(proxyFor('http://a/', { HTTP_PROXY: 'http://b:1', http_proxy: 'c:2' })).toBe('http://c:2');
    expect(proxyFor('http://a/', { HTTP_PROXY: 'http://b:1', no_proxy: '*' })).toBeUndefined();
    expect(proxyFor('http://a/', { HTTP_PROXY: '' })).toBeUndefined();
  });
});

describe('networkFetch', () => {
  it("is Node's own without a proxy: nothing is loaded", () => {
    expect(networkFetch({ NO_PROXY: '*' })).toBe(globalThis.fetch);
  });
  it('refuses what is no HTTP proxy before anything is sent', () => {
    expect(() => networkFetch({ HTTPS_PROXY: 'socks5://h:1' })).toThrow("HTTPS_PROXY is not the address of an HTTP proxy: 'socks5://h:1'");
  });
});
