import type { JSX } from 'preact';
import { Page } from '../parts/shell.tsx';

export const ToolsPage = (): JSX.Element => <Page title="Tools">…</Page>;
