/** Units of quantities as UN/ECE recommendation 20 codes. */
const codes: Readonly<Record<string, string>> = {
  second: 'SEC',
  seconds: 'SEC',
  minute: 'MIN',
  minutes: 'MIN',
  hour: 'HUR',
  hours: 'HUR',
  day: 'DAY',
  days: 'DAY',
  month: 'MON',
  months: 'MON',
  byte: 'AD',
  bytes: 'AD',
  kb: '2P',
  mb: '4L',
  gb: 'E34',
  tb: 'E35',
  kwh: 'KWH',
};

/** One (C62), where nobody said more or it is a word of one's own. */
export function unitCodeOf(unit: string | null): string {
  if (unit === null) return 'C62';
  return codes[unit.toLowerCase()] ?? (Object.values(codes).includes(unit) ? unit : 'C62');
}
