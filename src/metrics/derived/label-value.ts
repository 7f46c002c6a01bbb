/** Longest value of a label that comes from elsewhere, in characters; what is longer is cut. */
const longest = 200;

export function labelValue(text: string): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
