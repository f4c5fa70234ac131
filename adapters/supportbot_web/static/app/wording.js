/* Words, times and sizes in the person's language. */

/** `say(key, values)`: the words of the key with {name} and the like filled in. */
export function wording({ words, locale }) {
  const say = (key, values = {}) => (words[key] ?? "").replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const dates = (options) => new Intl.DateTimeFormat(locale, options);
  const clock = dates({ hour: "numeric", minute: "2-digit" });
  const near = dates({ weekday: "long", day: "numeric", month: "long" });
  const far = dates({ day: "numeric", month: "long", year: "numeric" });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

  function day(at) {
    const then = new Date(at * 1000);
    const ago = daysAgo(then);
    if (ago <= 1) return sentence(relative.format(-Math.max(0, ago), "day"), locale);
    return sentence((ago < 180 ? near : far).format(then), locale);
  }

  function size(bytes) {
    const [unit, value] = bytes < 1e6 ? ["kilobyte", Math.max(1, Math.round(bytes / 1e3))] : ["megabyte", bytes / 1e6];
    return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: 1 }).format(value);
  }

  return { say, day, size, time: (at) => clock.format(at * 1000) };
}

/** Whole days by the calendar between then and now. */
function daysAgo(then) {
  const midnight = (date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(new Date()) - midnight(then)) / 86_400_000);
}

const sentence = (text, locale) => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
