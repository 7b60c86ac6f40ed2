/** As much of a browser as the page's logic asks for; runs before everything else. */

function store(): Pick<Storage, "getItem" | "setItem" | "removeItem" | "clear"> {
  const held = new Map<string, string>();
  return {
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => void held.set(key, value),
    removeItem: (key) => void held.delete(key),
    clear: () => held.clear(),
  };
}

const events = new EventTarget();

const browser = {
  location: { href: "http://stemwire.test/", origin: "http://stemwire.test", protocol: "http:", hash: "", pathname: "/" },
  navigator: { languages: ["en-GB", "zh-CN"] },
  localStorage: store(),
  sessionStorage: store(),
  addEventListener: events.addEventListener.bind(events),
  removeEventListener: events.removeEventListener.bind(events),
  dispatchEvent: events.dispatchEvent.bind(events),
};

for (const [name, value] of Object.entries(browser)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

export {};
