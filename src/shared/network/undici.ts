/**
 * What is needed of undici: its proxy agent (network), its connection pool (kubernetes). A module of its own: it is loaded late, and in
 * `dist/` it is one file that all bundles share.
 */
export { Agent, EnvHttpProxyAgent, fetch, ProxyAgent, request, type Dispatcher } from 'undici';
