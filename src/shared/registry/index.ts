/** The door to OCI registries. */
export { createRegistry, type Member, type Registry, type RegistryOptions, type ResolvedImage } from './client.ts';
export {
  dockerCredentials,
  givenCredentials,
  type Credential,
  type CredentialSource,
  type DockerCredentialOptions,
} from './credentials.ts';
export { parseReference, registryProblem, type Reference } from './reference.ts';
export type { Fetch } from './transport.ts';
