/** What is wrong, at an offset of the text. */
export class YamlFault extends Error {
  readonly offset: number;
  readonly hint: string | undefined;
  readonly code: string;
  constructor(offset: number, message: string, hint?: string, code = 'YAML_INVALID') {
    super(message);
    this.offset = offset;
    this.hint = hint;
    this.code = code;
  }
}
