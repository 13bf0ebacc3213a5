"""The playground: a page that runs plugins in the browser, with this package inside Pyodide.

`page/` has the HTML, CSS and JavaScript files. `workbench` runs in the page's web worker and
answers its requests; `debugging` answers those of the Debug tab. `site` lists the files of the
page, `server` serves them.
"""
