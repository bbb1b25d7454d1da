/**
 * The text without those of the characters that it ends in: an address without its last slashes, a block without its last
 * line ends. Takes time in proportion to the text; a pattern such as `/\/+$/` looks again from every slash.
 */
export function withoutTrailing(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
