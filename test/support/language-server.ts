/** An editor without a window: speaks to yaml-language-server as editors do. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  'node_modules',
  'yaml-language-server',
  'bin',
  'yaml-language-server',
);

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly items?: readonly { readonly section?: string }[];
    readonly uri?: string;
    readonly diagnostics?: readonly Diagnostic[];
  };
  readonly result?: unknown;
}

export interface Diagnostic {
  readonly message: string;
  readonly range: { readonly start: { readonly line: number; readonly character: number } };
}

export interface Editor {
  /** Labels that the editor offers at the `|` of the text. */
  complete(uri: string, text: string): Promise<readonly string[]>;
  /** What hovering over the `|` of the text shows. */
  hover(uri: string, text: string): Promise<string>;
  /** What the editor underlines, as `line:column message` from 1. */
  diagnose(uri: string, text: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openEditor(): Promise<Editor> {
  const child = spawn(process.execPath, [PROGRAM, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const settings = { yaml: { completion: true, validate: true, hover: true, yamlVersion: '1.1', schemaStore: { enable: false } } };
  const waiting = new Map<number, (result: unknown) => void>();
  const published = new Map<string, (found: readonly Diagnostic[]) => void>();
  let counter = 0;
  let documents = 0;
  const send = (message: object): void => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    child.stdin.write(`Content-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`);
  };
  const request = (method: string, params: object | null): Promise<unknown> => {
    counter += 1;
    const id = counter;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      send({ id, method, params });
    });
  };
  const take = (message: Message): void => {
    if (message.method === undefined) waiting.get(message.id ?? -1)?.(message.result);
    else if (message.id !== undefined)
      send({
        id: message.id,
        result:
          message.method === 'workspace/configuration'
            ? (message.params?.items ?? []).map(({ section }) => (section === 'yaml' ? settings.yaml : null))
            : null,
      });
    else if (message.method === 'textDocument/publishDiagnostics')
      published.get(message.params?.uri ?? '')?.(message.params?.diagnostics ?? []);
  };
  let buffer = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const end = buffer.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, Math.max(0, end)).toString())?.[1]);
      if (end === -1 || buffer.length < end + 4 + length) return;
      const body = buffer.subarray(end + 4, end + 4 + length).toString('utf8');
      buffer = buffer.subarray(end + 4 + length);
      take(JSON.parse(body) as Message);
    }
  });
  await request('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: { workspace: { configuration: true }, textDocument: { completion: { completionItem: { snippetSupport: true } } } },
  });
  send({ method: 'initialized', params: {} });
  send({ method: 'workspace/didChangeConfiguration', params: { settings } });

  /** A document of its own for every question: answers about a closed one may still be on their way. */
  const fresh = (uri: string): string => `${uri.slice(0, uri.lastIndexOf('/'))}/${String(++documents)}${uri.slice(uri.lastIndexOf('/'))}`;
  /** Opens the text; the place of its `|`. */
  const open = (uri: string, marked: string): { readonly line: number; readonly character: number } => {
    const at = marked.indexOf('|');
    send({
      method: 'textDocument/didOpen',
      params: {
        textDocument: { uri, languageId: 'yaml', version: 1, text: at === -1 ? marked : marked.slice(0, at) + marked.slice(at + 1) },
      },
    });
    const before = marked.slice(0, Math.max(0, at)).split('\n');
    return { line: before.length - 1, character: (before.at(-1) ?? '').length };
  };
  const close = (uri: string): void => {
    send({ method: 'textDocument/didClose', params: { textDocument: { uri } } });
  };
  return {
    complete: async (name, text) => {
      const uri = fresh(name);
      const position = open(uri, text);
      const found = (await request('textDocument/completion', { textDocument: { uri }, position })) as { items: { label: string }[] };
      close(uri);
      return found.items.map(({ label }) => label);
    },
    hover: async (name, text) => {
      const uri = fresh(name);
      const position = open(uri, text);
      const found = (await request('textDocument/hover', { textDocument: { uri }, position })) as { contents: { value: string } } | null;
      close(uri);
      return found?.contents.value ?? '';
    },
    diagnose: async (name, text) => {
      const uri = fresh(name);
      const found = await new Promise<readonly Diagnostic[]>((resolve) => {
        published.set(uri, resolve);
        open(uri, text.replaceAll('|', '\u2502'));
      });
      published.delete(uri);
      close(uri);
      return found.map(({ message, range }) => `${String(range.start.line + 1)}:${String(range.start.character + 1)} ${message}`);
    },
    close: async () => {
      const ended = new Promise((resolve) => {
        child.once('exit', resolve);
      });
      await request('shutdown', null);
      send({ method: 'exit' });
      await ended;
    },
  };
}
