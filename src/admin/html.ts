/** HTML in which every value is escaped; what `html` made is not escaped again. */
export interface Html {
  readonly html: string;
}

export function html(parts: TemplateStringsArray, ...values: (Html | string | number | readonly Html[])[]): Html {
  let out = parts[0]!;
  values.forEach((value, at) => (out += showPart(value) + parts[at + 1]!));
  return { html: out };
}

function showPart(value: Html | string | number | readonly Html[]): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escape(value);
  return 'html' in value ? value.html : value.map((one) => one.html).join('');
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char]!);
}
