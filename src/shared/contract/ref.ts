/** A ref as its server lists it: full name and the commit that it (finally) points at. */
export interface Ref {
  readonly name: string;
  readonly sha: string;
}
