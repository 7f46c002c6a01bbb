import { compileFormat, defineFilter, doc, isFieldValue, isToken, v, type Exchange, type Headers } from 'portico';

/** A header value with operators, compiled; unset operators are empty. */
type Template = (exchange: Exchange) => string;

/**
 * Routing and framing rest on these (RFC 9112 §6, RFC 9110 §7.6.1): who may write them can smuggle requests, or make an
 * answer that never ends. Whoever owns the connection and the body writes them.
 */
const refused: Readonly<Record<string, string>> = {
  host: 'the route rewrites it: host_rewrite',
  'content-length': 'it follows from the body',
  'transfer-encoding': 'it follows from the body',
  connection: 'it speaks of one connection only',
  'keep-alive': 'it speaks of one connection only',
  'proxy-connection': 'it speaks of one connection only',
  te: 'it speaks of one connection only',
  trailer: 'it speaks of one connection only',
  upgrade: 'it speaks of one connection only',
  'http2-settings': 'it speaks of one connection only',
  'proxy-authenticate': 'it speaks of one connection only',
  'proxy-authorization': 'it speaks of one connection only',
};

const control = /[\x00-\x08\x0a-\x1f\x7f]/;

export default defineFilter({
  doc: 'Sets, appends and removes request and response headers; values may contain operators such as %REQ(x)%.',
  config: v.strictObject({
    request: v.optional(doc('Edits of the request before it is forwarded.', edits()), {}),
    response: v.optional(doc('Edits of the response before it is sent.', edits()), {}),
  }),
  stats: {
    rejected: 'Header values left out because they came out with a control character or a character beyond Latin-1.',
  },
  create({ request, response }, { stats }) {
    const editRequest = compile(request);
    const editResponse = compile(response);
    return {
      ...(editRequest !== undefined && {
        onRequest(request, exchange) {
          editRequest(request.headers, exchange);
        },
      }),
      ...(editResponse !== undefined && {
        onResponse(response, exchange) {
          editResponse(response.headers, exchange);
        },
      }),
    };

    /** Every value is made before the first edit, so `set: {a: %REQ(b)%}` does not depend on what `remove` does to b. */
    function compile(config: Edits): ((headers: Headers, exchange: Exchange) => void) | undefined {
      const removals = config.remove;
      const sets = Object.entries(config.set);
      const absents = Object.entries(config.add_if_absent);
      const appends = Object.entries(config.append).flatMap(([name, templates]) =>
        templates.map((template): [string, Template] => [name, template]),
      );
      if (removals.length + sets.length + absents.length + appends.length === 0) return undefined;
      return function editHeaders(headers, exchange) {
        const setTo = sets.map(([, template]) => render(template, exchange));
        const absentTo = absents.map(([, template]) => render(template, exchange));
        const appended = appends.map(([, template]) => render(template, exchange));
        for (const name of removals) headers.delete(name);
        sets.forEach(([name], at) => {
          const value = setTo[at];
          // A value that cannot be made must not leave the client's own in its place.
          if (value === undefined) headers.delete(name);
          else headers.set(name, value);
        });
        absents.forEach(([name], at) => {
          const value = absentTo[at];
          if (value !== undefined && !headers.has(name)) headers.append(name, value);
        });
        appends.forEach(([name], at) => {
          const value = appended[at];
          if (value !== undefined) headers.append(name, value);
        });
      };
    }

    /** Undefined for what is not worth a header: nothing at all, or what could break out of its line. */
    function render(template: Template, exchange: Exchange): string | undefined {
      const value = trimmed(template(exchange));
      if (value === '') return undefined;
      if (isFieldValue(value)) return value;
      stats.rejected.add();
      return undefined;
    }
  },
});

type Edits = v.InferOutput<ReturnType<typeof edits>>;

function edits() {
  return v.strictObject({
    remove: v.optional(doc('Names of headers to remove; this is done first.', v.array(editableName())), []),
    set: v.optional(
      doc(
        'Name to value: replaces all headers of the name. An empty value removes them.',
        v.record(editableName(), template()),
      ),
      {},
    ),
    add_if_absent: v.optional(
      doc('Name to value: adds the header if the message has none of the name.', v.record(editableName(), template())),
      {},
    ),
    append: v.optional(
      doc(
        'Name to value, or to a list of values: adds a header line for each behind those that are there.',
        v.record(editableName(), templates()),
      ),
      {},
    ),
  });
}

/** The case is kept as it is written: HTTP/1 clients see it. */
function editableName() {
  return v.pipe(
    v.string('must be a header name'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const name = dataset.value;
      const why = refused[name.toLowerCase()];
      if (name.startsWith(':'))
        addIssue({ message: `${name} cannot be edited here: the route rewrites host and path` });
      else if (!isToken(name))
        addIssue({ message: `must be a header name such as x-team, not ${JSON.stringify(name)}` });
      else if (why !== undefined) addIssue({ message: `${name} cannot be edited here: ${why}` });
    }),
  );
}

function template() {
  return v.pipe(
    v.string('must be text'),
    v.rawTransform<string, Template>(({ dataset, addIssue, NEVER }) => {
      try {
        return compileTemplate(dataset.value);
      } catch (error) {
        addIssue({ message: (error as Error).message });
        return NEVER;
      }
    }),
  );
}

function templates() {
  return v.pipe(
    v.union([v.string(), v.array(v.string())], 'must be text or a list of texts'),
    v.transform((written) => (typeof written === 'string' ? [written] : written)),
    v.array(template()),
  );
}

function compileTemplate(text: string): Template {
  if (control.test(text)) throw new Error('has a control character such as a line end, which a header cannot carry');
  // Headers are bytes, one code unit each; a configuration file is text.
  return compileFormat(Buffer.from(text, 'utf8').toString('latin1'), { unset: '' });
}

/** Without optional white space around it (RFC 9110 §5.5). `trim` would take bytes of UTF-8 such as 0xa0, too. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
