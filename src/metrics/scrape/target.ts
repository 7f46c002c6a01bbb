import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { ExpositionFault } from '../exposition/fault.ts';
import { openMetricsParser } from '../exposition/openmetrics-parser.ts';
import type { ExpositionParser, ParseOptions } from '../exposition/parsed.ts';
import { ProtobufParser } from '../exposition/protobuf-parser.ts';
import { textParser } from '../exposition/text-parser.ts';
import { http } from '../../node-http.ts';
import type { MetricFamily } from '../family.ts';
import type { ExpositionFormat } from '../exposition/negotiate.ts';
import { ScrapeRefused } from '../scrape-refused.ts';
import { SeriesTable, type Admit } from '../series-table.ts';
import { settleNames } from '../settle-names.ts';
import { acceptHeaders, formatOf } from './content-type.ts';
import { fetchExposition } from './fetch-exposition.ts';

/** How one app is scraped, compiled. */
export interface TargetOptions {
  readonly name: string;
  readonly url: URL;
  /** Milliseconds. */
  readonly timeout: number;
  readonly prefer: ExpositionFormat;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: { readonly ca?: string; readonly servername?: string; readonly rejectUnauthorized?: boolean };
  readonly invalidLines: ParseOptions['invalidLines'];
  readonly maxLineLength: number;
  readonly maxSamples: number;
  readonly maxBody: number;
}

/** What one scrape brought. Without `refused`, the families are the whole of what the app said. */
export interface ScrapeResult {
  readonly target: string;
  readonly families: readonly MetricFamily[];
  readonly refused: ScrapeRefused | undefined;
  /** Seconds. */
  readonly duration: number;
  readonly samplesScraped: number;
  readonly samplesKept: number;
  readonly bodySize: number;
  readonly invalidLines: number;
  /** The first of them. */
  readonly firstFault: ExpositionFault | undefined;
}

/** One app that is scraped, with what is remembered of its series. */
export class Target {
  readonly options: TargetOptions;
  readonly #admitFor: (labels: ReadonlyMap<string, string>) => Admit;
  #labels: ReadonlyMap<string, string> = new Map();
  #table: SeriesTable;
  #agent: HttpAgent | HttpsAgent | undefined;

  /** @param admitFor what becomes of a series, when all series get these labels */
  constructor(options: TargetOptions, admitFor: (labels: ReadonlyMap<string, string>) => Admit) {
    this.options = options;
    this.#admitFor = admitFor;
    this.#table = new SeriesTable(admitFor(this.#labels));
  }

  /** All series get these labels from now on. */
  relabel(labels: ReadonlyMap<string, string>): void {
    if (labels === this.#labels) return;
    this.#labels = labels;
    this.#table = new SeriesTable(this.#admitFor(labels));
  }

  /**
   * Never rejects.
   * @param budget milliseconds that there are, beside the target's own timeout
   */
  async scrape(budget = Infinity): Promise<ScrapeResult> {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    const timeout = Math.max(1, Math.min(budget, this.options.timeout));
    const nothing = {
      target: this.options.name,
      families: [],
      samplesScraped: 0,
      samplesKept: 0,
      bodySize: 0,
      invalidLines: 0,
      firstFault: undefined,
    };
    try {
      const { parser, bodySize } = await this.#fetch(timeout);
      const parsed = parser.end();
      return {
        target: this.options.name,
        families: settleNames(parsed.families),
        refused: undefined,
        duration: seconds(),
        samplesScraped: parsed.samplesScraped,
        samplesKept: parsed.samplesAdmitted,
        bodySize,
        invalidLines: parsed.faults,
        firstFault: parsed.firstFault,
      };
    } catch (error) {
      return { ...nothing, refused: asRefused(error), duration: seconds() };
    }
  }

  close(): void {
    this.#agent?.destroy();
  }

  async #fetch(timeout: number): Promise<{ parser: ExpositionParser; bodySize: number }> {
    const { url, headers, tls, maxBody, prefer } = this.options;
    this.#agent ??= await newAgent(url);
    let parser: ExpositionParser | undefined;
    const { bodySize } = await fetchExposition(
      {
        url,
        tls,
        maxBody,
        timeout,
        agent: this.#agent,
        headers: {
          accept: acceptHeaders[prefer],
          'accept-encoding': 'gzip',
          'user-agent': 'portico',
          'x-prometheus-scrape-timeout-seconds': String(timeout / 1000),
          ...headers,
        },
      },
      (contentType) => (parser = this.#parser(contentType)),
    );
    return { parser: parser!, bodySize };
  }

  #parser(contentType: string | undefined): ExpositionParser {
    const format = formatOf(contentType);
    if (format === undefined) {
      throw new ScrapeRefused(
        'content_type',
        `sends ${JSON.stringify(contentType!.slice(0, 60))}, which is no format of metrics`,
      );
    }
    const { invalidLines, maxLineLength, maxSamples } = this.options;
    const options = { table: this.#table, invalidLines, maxLineLength, maxSamples };
    return parsers[format](options);
  }
}

const parsers: Readonly<Record<ExpositionFormat, (options: ParseOptions) => ExpositionParser>> = {
  text: textParser,
  openmetrics: openMetricsParser,
  protobuf: (options) => new ProtobufParser(options),
};

async function newAgent({ protocol }: URL): Promise<HttpAgent | HttpsAgent> {
  const options = { keepAlive: true, maxSockets: 1, maxFreeSockets: 1 };
  return protocol === 'https:' ? new (await import('node:https')).Agent(options) : new http.Agent(options);
}

function asRefused(error: unknown): ScrapeRefused {
  if (error instanceof ScrapeRefused) return error;
  if (error instanceof ExpositionFault)
    return new ScrapeRefused('invalid', `sends what cannot be read: ${error.message}`, { cause: error });
  // A mistake of ours must not take the other targets with it.
  return new ScrapeRefused('internal', 'could not be scraped; the cause says why', { cause: error });
}
