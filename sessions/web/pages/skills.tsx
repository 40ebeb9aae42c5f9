import type { JSX } from 'preact';
import { Page } from '../parts/shell.tsx';

export const SkillsPage = (): JSX.Element => <Page title="Skills">…</Page>;
