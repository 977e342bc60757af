import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { CommandFailed } from '../terminal.js';
import type { PlacedFile, PlacedRate } from './read-rates.js';

/** Texts stay texts: a rate that became a float would lose digits. */
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseAttributeValue: false,
  parseTagValue: false,
  processEntities: false,
  removeNSPrefix: true,
  isArray: (name) => name === 'Cube',
});

/**
 * `<Cube><Cube time="2024-01-31"><Cube currency="USD" rate="1.0837"/>…`: the ECB's reference rates, of one or many days.
 * @throws CommandFailed
 */
export function readEcbXml(text: string): PlacedFile {
  const validity = XMLValidator.validate(text);
  if (validity !== true) throw new CommandFailed(`line ${validity.err.line}: the file is not XML: ${validity.err.msg}`);
  const document: unknown = parser.parse(text);
  const envelope = isObject(document) ? document['Envelope'] : undefined;
  const days = cubesIn(isObject(envelope) ? envelope : {}).flatMap(cubesIn);
  if (days.length === 0) throw new CommandFailed('the file has no <Cube time="…"> as the files of the ECB have');
  return { source: 'ecb', rates: days.flatMap(ratesOf) };
}

function cubesIn(cube: JsonObject): readonly JsonObject[] {
  const inner = cube['Cube'];
  // An empty element is an empty text.
  return Array.isArray(inner) ? inner.filter((each) => isObject(each)) : [];
}

function ratesOf(day: JsonObject, index: number): readonly PlacedRate[] {
  const date = attribute(day, 'time', `day ${index + 1}`);
  return cubesIn(day).map((cube, at) => {
    const quote = attribute(cube, 'currency', `the Cube of ${date}, rate ${at + 1}`);
    const place = `the Cube of ${date}, currency ${quote}`;
    return { base: 'EUR', quote, date, rate: attribute(cube, 'rate', place), place };
  });
}

function attribute(cube: JsonObject, name: string, place: string): string {
  const value = cube[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new CommandFailed(`${place}: the attribute "${name}" is missing`);
}
