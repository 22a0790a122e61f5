@echo off
rem Installs Dreamlayer for this user, with a Python of its own. Double-click it, or run it with
rem the options of install.py: --check, --uninstall, --dream PICTURE ...
setlocal
set "HERE=%~dp0"
if not exist "%HERE%install.py" set "HERE=%~dp0install\"
set "DATA=%LOCALAPPDATA%\Dreamlayer"
if defined DREAMLAYER_HOME set "DATA=%DREAMLAYER_HOME%"
if not defined DREAMLAYER_PYTHON set "DREAMLAYER_PYTHON=3.12"
set "DREAMLAYER_STARTED_AS=%~nx0"
set "PYTHON="

set "UV=%HERE%uv\uv.exe"
call :find_own
rem Nothing is fetched for these two.
for %%A in (%*) do if "%%~A"=="--check" set "UV="
for %%A in (%*) do if "%%~A"=="--uninstall" set "UV="
if not defined PYTHON if exist "%UV%" call :own_python
if not defined PYTHON call :python_here
if not defined PYTHON goto :no_python
%PYTHON% "%HERE%install.py" %*
set "CODE=%ERRORLEVEL%"
if not "%CODE%"=="0" goto :end
rem Windows removes no program that runs, so the Python goes after it has ended.
for %%A in (%*) do if "%%~A"=="--uninstall" call :remove_python
goto :end

:own_python
echo Fetching Python %DREAMLAYER_PYTHON% for Dreamlayer
set "UV_PYTHON_INSTALL_DIR=%DATA%\dreamlayer-python"
set "UV_NO_CACHE=1"
set "UV_NO_CONFIG=1"
"%UV%" python install --no-bin %DREAMLAYER_PYTHON%
call :find_own
exit /b

rem uv moves a Python to its place when it is complete.
:find_own
if not exist "%DATA%\dreamlayer-python" exit /b
pushd "%DATA%\dreamlayer-python"
for /d %%D in (cpython-%DREAMLAYER_PYTHON%*) do if exist "%%~fD\python.exe" set PYTHON="%%~fD\python.exe"
popd
exit /b

rem py.exe comes with Python from python.org. A program python.exe may only open the Store.
:python_here
py -3 -c "import sys; sys.exit(sys.version_info < (3, 10))" >nul 2>nul
if not errorlevel 1 set "PYTHON=py -3"
exit /b

:remove_python
if exist "%DATA%\dreamlayer-python" rmdir /s /q "%DATA%\dreamlayer-python"
rmdir "%DATA%" 2>nul
exit /b

:no_python
echo Dreamlayer needs Python 3.10 or newer, which is not here and could not be fetched:
echo go online and run this again, or install Python from python.org.
set "CODE=1"

:end
rem After a double-click the window would close before anyone has read it.
if not defined DREAMLAYER_NO_PAUSE if "%~1"=="" pause
exit /b %CODE%
