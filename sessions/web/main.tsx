/** The dashboard's entry: which page the address names. */
import { type JSX, render } from 'preact';
import { signedOut } from './api.ts';
import { startClock } from './format.ts';
import { AgentsPage } from './pages/agents.tsx';
import { FrictionPage } from './pages/friction.tsx';
import { ModelsPage } from './pages/models.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { SessionPage } from './pages/session.tsx';
import { SessionsPage } from './pages/sessions.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { SkillsPage } from './pages/skills.tsx';
import { ToolsPage } from './pages/tools.tsx';
import { Empty } from './parts/bits.tsx';
import { Page, Shell } from './parts/shell.tsx';
import { place, startRouting, to } from './place.ts';
import { sessionIn } from './questions.ts';

function App(): JSX.Element {
  if (signedOut.value !== null) return <SignIn />;
  return (
    <Shell>
      <Current />
    </Shell>
  );
}

function Current(): JSX.Element {
  const { path } = place.value;
  switch (path) {
    case '/':
      return <OverviewPage />;
    case '/sessions':
      return <SessionsPage />;
    case '/tools':
      return <ToolsPage />;
    case '/skills':
      return <SkillsPage />;
    case '/models':
      return <ModelsPage />;
    case '/agents':
      return <AgentsPage />;
    case '/friction':
      return <FrictionPage />;
  }
  const id = sessionIn(path);
  return id === undefined ? <NotFound /> : <SessionPage key={id} id={id} />;
}

const NotFound = (): JSX.Element => (
  <Page title="No such page" filters={false}>
    <Empty title="This address names no page">
      <p>
        <a class="button" href={to('/')}>
          To the overview
        </a>
      </p>
    </Empty>
  </Page>
);

startRouting();
startClock();
render(<App />, document.getElementById('app') as HTMLElement);
