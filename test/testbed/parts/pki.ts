/** Certificates of one cluster, by openssl: one CA, one certificate for each component and the administrator. */
import fs from 'node:fs';
import path from 'node:path';
import { must } from './run.ts';
import type { KubeconfigFile } from './api.ts';

const DAYS = '30';
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', DAYS];

interface CertificateRequest {
  readonly name: string;
  readonly subject: string;
  readonly usage: string;
  readonly alternativeNames?: string;
}

/** Makes the CA, the service-account key pair and every certificate in `dir`; about 0.2 s. */
export async function makePki(
  openssl: string,
  dir: string,
  node: { readonly name: string; readonly ip: string },
  serviceIp: string,
): Promise<void> {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const at = (file: string): string => path.join(dir, file);
  const names = 'DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local';
  const wanted: readonly CertificateRequest[] = [
    { name: 'apiserver', subject: '/CN=kube-apiserver', usage: 'serverAuth', alternativeNames: `${names},IP:127.0.0.1,IP:${serviceIp}` },
    { name: 'kubelet-client', subject: '/O=system:masters/CN=kube-apiserver-kubelet-client', usage: 'clientAuth' },
    { name: 'admin', subject: '/O=system:masters/CN=testbed-admin', usage: 'clientAuth' },
    // the fake nodes' requests are told from the tests' in the audit log
    { name: 'fake-node', subject: '/O=system:masters/CN=testbed-fake-node', usage: 'clientAuth' },
    { name: 'controller-manager', subject: '/CN=system:kube-controller-manager', usage: 'clientAuth' },
    { name: 'scheduler', subject: '/CN=system:kube-scheduler', usage: 'clientAuth' },
    // client of the API server, and server of logs and exec
    {
      name: 'node',
      subject: `/O=system:nodes/CN=system:node:${node.name}`,
      usage: 'clientAuth,serverAuth',
      alternativeNames: `DNS:${node.name},DNS:localhost,IP:127.0.0.1,IP:${node.ip}`,
    },
  ];
  const extensions = (lines: readonly string[]): string =>
    ['[req]', 'distinguished_name=dn', 'x509_extensions=v3', '[dn]', '[v3]', ...lines, ''].join('\n');
  fs.writeFileSync(
    at('ca.cnf'),
    extensions(['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature']),
  );
  const serviceAccountKey = must([openssl, 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', at('sa.key')]).then(
    () => must([openssl, 'pkey', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')]),
  );
  await must([
    openssl,
    'req',
    '-x509',
    '-config',
    at('ca.cnf'),
    ...KEY,
    '-subj',
    '/CN=testbed-ca',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
  ]);
  await Promise.all(
    wanted.map(async (one) => {
      fs.writeFileSync(
        at(`${one.name}.cnf`),
        extensions([
          'basicConstraints=critical,CA:FALSE',
          'keyUsage=critical,digitalSignature,keyEncipherment',
          `extendedKeyUsage=${one.usage}`,
          ...(one.alternativeNames === undefined ? [] : [`subjectAltName=${one.alternativeNames}`]),
        ]),
      );
      await must([
        openssl,
        'req',
        '-x509',
        '-config',
        at(`${one.name}.cnf`),
        ...KEY,
        '-subj',
        one.subject,
        '-CA',
        at('ca.crt'),
        '-CAkey',
        at('ca.key'),
        '-keyout',
        at(`${one.name}.key`),
        '-out',
        at(`${one.name}.crt`),
      ]);
    }),
  );
  await serviceAccountKey;
}

/** Writes a kubeconfig (JSON) with embedded credentials, readable by its owner only. */
export function writeKubeconfig(
  file: string,
  pki: string,
  options: {
    readonly server: string;
    readonly user: string;
    readonly certificate?: string;
    readonly token?: string;
    readonly context: string;
  },
): void {
  const { server, user, certificate, token, context } = options;
  const inline = (name: string): string => fs.readFileSync(path.join(pki, name)).toString('base64');
  const config: KubeconfigFile & { apiVersion: string; kind: string } = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    clusters: [{ name: context, cluster: { server, 'certificate-authority-data': inline('ca.crt') } }],
    users: [
      {
        name: user,
        user: {
          ...(certificate !== undefined && {
            'client-certificate-data': inline(`${certificate}.crt`),
            'client-key-data': inline(`${certificate}.key`),
          }),
          ...(token !== undefined && { token }),
        },
      },
    ],
    contexts: [{ name: context, context: { cluster: context, user } }],
  };
  fs.writeFileSync(file, JSON.stringify(config, null, 1), { mode: 0o600 });
}
