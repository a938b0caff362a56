export { ofPath as default } from './work.js';
