/** What is needed of undici when there is a proxy. A module of its own, because a bundle that is loaded late has no named exports when it is CommonJS. */
export { EnvHttpProxyAgent, fetch } from 'undici';
