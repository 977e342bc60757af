/** Zones chosen for what is odd about them. */
export const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata', // +05:30
  'Asia/Kathmandu', // +05:45
  'Australia/Lord_Howe', // daylight saving of half an hour
  'America/St_Johns', // −03:30, changed clocks at 00:01 until 2011
  'Asia/Beirut', // daylight saving begins at midnight: the day starts at 01:00
  'America/Sao_Paulo', // the same, until 2018
  'Africa/Cairo', // the same
  'Pacific/Apia', // skipped 30 December 2011
  'Pacific/Kiritimati', // +14:00
  'Pacific/Honolulu', // −10:00
  'Pacific/Chatham', // +12:45, +13:45
  'Africa/Casablanca', // negative daylight saving in Ramadan
] as const;

export const anchors = [1, 2, 15, 28, 29, 30, 31] as const;
