export default defineFilter({
