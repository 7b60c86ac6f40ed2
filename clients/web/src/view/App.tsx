/** The page. */
import { useEffect } from "preact/hooks";
import { loadServer } from "../calls/server";
import { tokenWanted } from "../calls/token";
import { loadModels } from "../session/models";
import { opened, openedId, open } from "../session/opened";
import { language, theme, type Theme } from "../preferences";
import { words } from "../words";
import { AddSongs, dragging, useDrop } from "./AddSongs";
import { Announcer } from "./Announcer";
import { Footer } from "./Footer";
import { HelpDialog, helps } from "./HelpDialog";
import { Icon } from "./icons";
import { SongList } from "./SongList";
import { SongView } from "./SongView";
import { TokenDialog } from "./TokenDialog";
import { Transport } from "./Transport";
import { nameOf } from "./status";

const THEMES: readonly Theme[] = ["auto", "light", "dark"];
const THEME_ICONS = { auto: "half", light: "sun", dark: "moon" } as const;

export function App() {
  useDrop();
  useEffect(() => {
    void loadModels();
    void loadServer();
  }, []);
  const name = opened.value ? `${nameOf(opened.value)} · Stemwire` : "Stemwire";
  useEffect(() => void (document.title = name), [name]);
  const isHome = openedId.value === null;
  return (
    <>
      <a class="skip" href="#main" onClick={toMain}>{words.value.skipToContent}</a>
      <Header />
      <main id="main" tabIndex={-1}>
        {isHome ? <AddSongs large /> : <SongView />}
        <SongList />
      </main>
      <Footer />
      <Transport />
      <Announcer />
      {tokenWanted.value && <TokenDialog />}
      {helps.value && <HelpDialog />}
      {dragging.value && <div class="drop-veil" aria-hidden="true"><p>{words.value.dropNow}</p></div>}
    </>
  );
}

/** The URL fragment names the song, so an ordinary skip link would replace it. */
function toMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Header() {
  const nextTheme = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
  const goHome = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(null);
  };
  return (
    <header>
      <a class="brand" href="." onClick={goHome}>
        <img src="static/icon.svg" alt="" width="32" height="32" />
        <span class="brand-name">Stemwire</span>
        <span class="brand-line">{words.value.tagline}</span>
      </a>
      <div class="header-tools">
        <button type="button" class="button button-quiet" lang={language.value === "en" ? "zh-Hans" : "en"}
          onClick={() => (language.value = language.value === "en" ? "zh" : "en")}>
          {words.value.otherLanguage}
        </button>
        <button type="button" class="button button-quiet button-icon" title={words.value.theme[theme.value]}
          aria-label={words.value.theme[theme.value]} onClick={() => (theme.value = nextTheme)}>
          <Icon name={THEME_ICONS[theme.value]} />
        </button>
      </div>
    </header>
  );
}
