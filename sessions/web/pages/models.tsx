import type { JSX } from 'preact';
import { Page } from '../parts/shell.tsx';

export const ModelsPage = (): JSX.Element => <Page title="Models">…</Page>;
